import {
  type BeginReply,
  type Change,
  type IdempotencyStore,
  InvalidOptionError,
  type ListedRecord,
  type ListQuery,
  listed,
  type RecordState,
  type RecordView,
  requireRoom,
  type StoreCapabilities,
  StoreMisconfiguredError,
  StoreUnavailableError,
} from '@retryproof/core'
import { type RedisClient, requireUsable, toStoreError } from './client.ts'
import { script, sha } from './scripts.ts'
import { createWatch } from './watch.ts'

export interface RedisStoreOptions {
  readonly client: RedisClient
  /** Stands before each key. @default 'retryproof:' */
  readonly prefix?: string
  /**
   * Answers only when `replicas` replicas have what the answer rests on, else throws after `timeoutMs`. This narrows what
   * a failover loses; it cannot rule it out. Needs `autoResendUnfulfilledCommands: false`; not for a Cluster.
   */
  readonly durability?: { readonly replicas: number; readonly timeoutMs: number }
  /** Accepts servers that evict records when they are full: those writes can be run again. @default false */
  readonly allowEviction?: boolean
  /** Replaces the server's clock (ms), for tests. Redis then removes no record by itself. */
  readonly now?: () => number
}

export interface RedisStore extends IdempotencyStore {
  /**
   * Asks the servers whether they can carry the store, as the first call does. Call it at start-up to know early.
   *
   * @throws StoreMisconfiguredError when they evict records or are replicas
   */
  check(): Promise<void>
  purge(options: { limit: number; graceMs?: number }): Promise<number>
  list(query: ListQuery): AsyncIterable<ListedRecord>
  watch(key: string, onChange: () => void, signal: AbortSignal): Promise<void>
}

/** What Redis answers: bytes, and integers as numbers (or as text, where the client is told so). */
type Field = Buffer | string | number | null
type Argument = string | number | Uint8Array

/** How long a record outlives its expiry, so that a clock that steps back gives out no token twice. */
const GRACE_MS = 60_000
const PAGE = 200

/** Whether an acknowledged change survives is for the server's AOF and replicas to say. */
const capabilities: StoreCapabilities = {
  clock: 'store',
  durable: false,
  shared: 'network',
  transactional: false,
  maxValueBytes: 2 ** 26,
}

/** Keeps records in Redis 6.2 and later or Valkey: a hash for each, one script, one round trip. */
export function redisStore(options: RedisStoreOptions): RedisStore {
  const { client, prefix = 'retryproof:', durability, allowEviction = false, now } = options
  requireUsable(client)
  const mayResend = client.isCluster || client.options.autoResendUnfulfilledCommands !== false
  if (!prefix) throw new InvalidOptionError('prefix', 'must not be empty: listings go by it')
  if (durability) requireWait(client, durability, mayResend)
  const fullPrefix = `${client.options.keyPrefix ?? ''}${prefix}`
  const answered = mayResend ? <T>(reply: Promise<T>) => reply : untilClosed(client)
  const watch = createWatch(client)
  let checked: Promise<void> | undefined

  async function call(command: string, key: string, rest: Argument[] = [], graceMs = GRACE_MS): Promise<Field[]> {
    await checkOnce()
    const clock = now ? us(now()) : ''
    const all = [prefix + key, command, clock, graceMs, durability ? 1 : 0, ...rest].map(toArgument)
    return mapped(async () => {
      try {
        return await confirmed(() => client.callBuffer('evalsha', sha, '1', ...all))
      } catch (error) {
        if (!String(error).includes('NOSCRIPT')) throw error
        return await confirmed(() => client.callBuffer('eval', script, '1', ...all))
      }
    })
  }

  async function confirmed(send: () => Promise<unknown>): Promise<Field[]> {
    const reply = answered(send()) as Promise<Field[]>
    if (!durability) return reply
    const { replicas, timeoutMs } = durability
    // WAIT is about what its own connection wrote: both are sent in the same tick
    const [value, count] = await Promise.all([reply, answered(client.wait(replicas, timeoutMs))])
    if (Number(count) >= replicas) return value
    const message = `Redis: ${count} of ${replicas} replicas confirmed the call in ${timeoutMs} ms.`
    throw new StoreUnavailableError(message, { applied: 'unknown' })
  }

  async function mapped<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      throw toStoreError(error, mayResend)
    }
  }

  const check = () => mapped(() => verify(answered(client.info()), client.isCluster, allowEviction))

  function checkOnce(): Promise<void> {
    checked ??= check().catch((error) => {
      checked = undefined
      throw error
    })
    return checked
  }

  /** Every key of the store once, a page at a time. */
  async function* pages(within: string): AsyncGenerator<string[]> {
    await checkOnce()
    const pattern = `${(fullPrefix + within).replace(/[[\]*?\\^]/g, '\\$&')}*`
    const seen = new Set<string>()
    for (const node of client.nodes?.('master') ?? [client]) {
      let cursor = '0'
      do {
        const [next, found] = await mapped(() => answered(node.scan(cursor, 'MATCH', pattern, 'COUNT', PAGE)))
        const fresh = [...new Set(found)].filter((name) => !seen.has(name))
        for (const name of fresh) seen.add(name)
        yield fresh.map((name) => name.slice(fullPrefix.length))
        cursor = next
      } while (cursor !== '0')
    }
  }

  return {
    capabilities,
    check,

    async begin(key, claim) {
      requireRoom(capabilities.maxValueBytes, claim)
      const { owner, fingerprint, leaseMs, retentionMs, request } = claim
      const rest = [owner, fingerprint, us(leaseMs), us(retentionMs), ...(request ? [request] : [])]
      const reply = await call('begin', key, rest)
      return { outcome: text(reply[0]) as BeginReply['outcome'], ...toView(reply) }
    },

    async transition(key, token, change) {
      requireRoom(capabilities.maxValueBytes, change)
      const reply = await call(change.to, key, [token, ...effects(change)])
      if (text(reply[0]) === 'ok') return { outcome: 'ok', applied: number(reply[1]) === 1 }
      return { outcome: 'lost', current: reply.length > 1 ? toView(reply) : null }
    },

    async get(key) {
      const reply = await call('get', key)
      return reply.length > 0 ? toView(reply) : null
    },

    async purge({ limit, graceMs = GRACE_MS }) {
      let purged = 0
      // by its own clock Redis has removed them already
      if (!now) await check()
      for await (const keys of now ? pages('') : []) {
        while (keys.length > 0 && purged < limit) {
          const some = keys.splice(0, limit - purged)
          const removed = await Promise.all(some.map((key) => call('purge', key, [], graceMs)))
          purged += removed.filter(([one]) => number(one) === 1).length
        }
        if (purged >= limit) break
      }
      return purged
    },

    async *list(query) {
      const { namespace, limit = Number.POSITIVE_INFINITY } = query
      let given = 0
      for await (const keys of pages(namespace === undefined ? '' : `${namespace}.`)) {
        const found = await Promise.all(keys.map(async (key) => toListed(key, await call('peek', key), query)))
        for (const record of found) {
          if (record && given++ < limit) yield record
        }
        if (given >= limit) return
      }
    },

    watch: (key, onChange, signal) => mapped(() => watch(fullPrefix + key, onChange, signal)),
  }
}

/** @throws InvalidOptionError when WAIT could not be about the connection that wrote */
function requireWait(client: RedisClient, { replicas, timeoutMs }: Durability, mayResend: boolean): void {
  const refuse = (why: string) => {
    throw new InvalidOptionError('durability', why)
  }
  if (client.isCluster)
    refuse('is not for a Cluster, where WAIT may reach another node: set min-replicas-to-write there')
  if (mayResend || client.options.enableAutoPipelining) {
    refuse('needs a client with autoResendUnfulfilledCommands: false and without enableAutoPipelining')
  }
  if (![replicas, timeoutMs].every((n) => Number.isSafeInteger(n) && n > 0)) refuse('takes whole numbers above 0')
}

type Durability = NonNullable<RedisStoreOptions['durability']>

/** Without resending, ioredis forgets what was unanswered when a connection closes: its promise would never settle. */
function untilClosed(client: RedisClient): <T>(reply: Promise<T>) => Promise<T> {
  const unanswered = new Set<(reason: Error) => void>()
  let open = client.status === 'ready'
  client.on('ready', () => {
    open = true
  })
  client.on('close', () => {
    if (!open) return
    open = false
    for (const reject of unanswered) reject(new Error('The connection closed before the reply came'))
    unanswered.clear()
  })
  return (reply) =>
    new Promise((resolve, reject) => {
      unanswered.add(reject)
      reply.then(resolve, reject).finally(() => unanswered.delete(reject))
    })
}

/** Of a Cluster, one server is asked. */
async function verify(info: Promise<string>, isCluster: boolean, allowEviction: boolean): Promise<void> {
  const said = await info.catch((error: Error) => {
    if (error.message.startsWith('NOPERM')) return ''
    throw error
  })
  if (!isCluster && /^role:slave/m.test(said)) {
    throw new StoreMisconfiguredError('This Redis is a replica: connect to the primary, by Sentinels or as a Cluster.')
  }
  const policy = /^maxmemory_policy:(\S+)/m.exec(said)?.[1]
  if (allowEviction || policy === 'noeviction') return
  if (policy) {
    throw new StoreMisconfiguredError(
      `This Redis evicts records when it is full (maxmemory-policy ${policy}), and their writes would run again: ` +
        'set noeviction, or give the store allowEviction: true.',
    )
  }
  process.emitWarning('Redis does not say its maxmemory-policy (INFO): it must be noeviction.', 'RetryproofWarning')
}

const us = (ms: number): string => String(Math.round(ms * 1000))

function effects(change: Change): Argument[] {
  switch (change.to) {
    case 'renew': {
      const { leaseMs, retentionMs = 0, checkpoint } = change
      return [us(leaseMs), us(retentionMs), ...(checkpoint ? [checkpoint.seq, checkpoint.data] : [])]
    }
    case 'released':
      return [us(change.delayMs), us(change.retentionMs), change.unresolved ? 1 : 0]
    case 'parked':
      return ['0', us(change.retentionMs)]
    case 'forgotten':
      return [us(change.tombstoneMs), '0']
    default:
      return ['0', us(change.retentionMs), change.result]
  }
}

/** ioredis writes a Uint8Array that is no Buffer as text; a copy, because it may write later. */
function toArgument(value: Argument): string | Buffer {
  return value instanceof Uint8Array ? Buffer.from(value) : String(value)
}

const text = (field: Field | undefined): string => String(field ?? '')
const number = (field: Field | undefined): number => Number(text(field))
/** A copy: the driver's Buffer is a part of all that it read at once. */
const bytes = (field: Field | undefined): Uint8Array | null =>
  field instanceof Uint8Array ? new Uint8Array(field) : null

function toView(reply: Field[]): RecordView {
  const [, state, token, fingerprint, attempt, interrupted, lease, retention, request, seq, data, result] = reply
  const checkpoint = bytes(data)
  return {
    state: text(state) as RecordState,
    token: number(token),
    fingerprint: text(fingerprint),
    attempt: number(attempt),
    interrupted: number(interrupted) === 1,
    leaseRemainingMs: number(lease),
    retentionRemainingMs: number(retention),
    request: bytes(request),
    checkpoint: checkpoint && { seq: number(seq), data: checkpoint },
    result: bytes(result),
  }
}

const noValues = { owner: '', fingerprint: '', request: null, checkpoint: null, result: null }

function toListed(key: string, reply: Field[], query: ListQuery): ListedRecord | null {
  const [state, token, attempt, interrupted, leaseUntil, expiresAt, now] = reply
  if (state === undefined) return null
  const times = { leaseUntil: number(leaseUntil), expiresAt: number(expiresAt) }
  const counts = { token: number(token), attempt: number(attempt), interrupted: number(interrupted) === 1 }
  return listed(key, { ...noValues, ...times, ...counts, state: text(state) as RecordState }, query, number(now))
}
