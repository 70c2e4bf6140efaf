import {
  assertKnownOptions,
  assertValueFits,
  type Duration,
  IdempotencyInvalidOptionError,
  type ListedRecord,
  type ListQuery,
  type RecordStore,
  reduce,
  type StoreCapabilities,
  StoreUnavailableError,
  toListedRecord,
  toMs,
} from '@retryproof/core/store'
import { createCheck } from './check-server.ts'
import { mayResend, type RedisClient, requireUsable, untilClosed, writesTogether } from './driver.ts'
import { toStoreError } from './errors.ts'
import { toSeen } from './record.ts'
import {
  type Argument,
  callArguments,
  changeArguments,
  claimArguments,
  letters,
  type Reply,
  script,
  sha,
} from './statements.ts'
import { createWatch } from './watch.ts'

export interface RedisStoreOptions {
  /** A client of ioredis: `new Redis(…)`, or `new Cluster(…)`. It stays the caller's, who closes it. */
  readonly client: RedisClient
  /** The beginning of each key. @default 'retryproof:' */
  readonly prefix?: string
  /**
   * Answers only once `replicas` replicas have the changes that the answer rests on, else throws after `timeout`. This
   * narrows the loss of a failover, and cannot rule it out. Needs `autoResendUnfulfilledCommands: false`; not for a Cluster.
   */
  readonly durability?: Durability
  /** Accepts servers that evict records when they are full: those writes can be run again. @default false */
  readonly allowEviction?: boolean
  /** Replaces the server's clock (ms), for tests. Redis then removes no record by itself. */
  readonly now?: (() => number) | undefined
}

export interface Durability {
  /** Replicas that must have a write. Only all of them survive every failover: a Sentinel may promote one that lagged. */
  readonly replicas: number
  /** @default '1s' */
  readonly timeout?: Duration
}

/** A store in Redis. It has no `purge`: Redis removes records by itself, a minute after they have expired. */
export interface RedisStore extends RecordStore {
  /**
   * Asks every primary whether it can carry the store, and runs each command of the script once on a probe key. Call it at
   * start-up. The store asks by itself before its first call, after each reconnection, and once a minute.
   *
   * @throws {@link StoreMisconfiguredError} when a server evicts records, is a replica, or refuses a command to the user
   */
  check(): Promise<void>
  list(query: ListQuery): AsyncIterable<ListedRecord>
  watch(key: string, onChange: () => void, signal: AbortSignal): Promise<void>
}

/** Not durable: the server's AOF and replicas decide whether an acknowledged change survives. */
const capabilities: StoreCapabilities = {
  clock: 'store',
  durable: false,
  shared: 'network',
  transactional: false,
  maxValueBytes: 2 ** 26,
}
const PAGE = 200
/** Keys that one SCAN looks at: the server serves nobody else for about half a millisecond. */
const SCANNED = 1000

/**
 * Keeps records in Redis 7 and later or Valkey: one string for each record, one round trip for each call.
 *
 * @example
 * import { redisStore } from '@retryproof/redis'
 * import { Redis } from 'ioredis'
 *
 * const store = redisStore({ client: new Redis('redis://localhost:6379') })
 * await store.check()
 *
 * @throws {@link IdempotencyInvalidOptionError} when the client cannot carry the store, or an option is out of range
 */
export function redisStore(options: RedisStoreOptions): RedisStore {
  assertKnownOptions(options, { client: true, prefix: true, durability: true, allowEviction: true, now: true })
  const { prefix = 'retryproof:', durability, allowEviction = false, now } = options
  const client = requireUsable(options.client)
  if (!prefix) throw new IdempotencyInvalidOptionError('prefix', 'must not be empty: a listing finds its records by it')
  const resends = mayResend(client)
  const wait = durability && readDurability(client, durability, resends)
  const writeTogether = writesTogether(client)
  const answered = resends ? <T>(reply: Promise<T>) => reply : untilClosed(client)
  const fullPrefix = `${client.options.keyPrefix ?? ''}${prefix}`
  const watch = createWatch(client)
  const { ask, passed } = createCheck({ client, prefix, allowEviction, answered, resends })
  let wasReady = client.status === 'ready'
  client.on('ready', () => {
    wasReady = true
  })

  async function call(command: string, key: string, rest: Argument[] = []): Promise<Reply> {
    await passed()
    const all = [...callArguments(prefix + key, command, now?.(), wait !== undefined), ...rest].map(toSent)
    return mapped(() =>
      confirmed(() => client.evalshaBuffer(sha, 1, ...all)).catch((error) => {
        if (!String(error).includes('NOSCRIPT')) throw error
        return confirmed(() => client.evalBuffer(script, 1, ...all))
      }),
    )
  }

  function confirmed(send: () => Promise<unknown>): Promise<Reply> {
    writeTogether()
    const reply = answered(send()) as Promise<Reply>
    return wait ? replicated(reply, wait) : reply
  }

  async function replicated(reply: Promise<Reply>, { replicas, timeoutMs }: Waiting): Promise<Reply> {
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
      // a client that never connected is an outage
      throw toStoreError(error, resends, wasReady && client.status === 'end')
    }
  }

  /** Returns the keys with these parts, sorted. Keys of other stores are left to the record's own test. */
  async function keysOf({ namespace, operation, scope, after = '' }: ListQuery): Promise<string[]> {
    await passed()
    const parts = [namespace, operation, scope]
    const literal = (text: string) => text.replace(/[[\]*?\\^]/g, '\\$&')
    const asked = parts.some((part) => part !== undefined)
    const within = parts.map((part) => (part === undefined ? '*' : literal(part))).join('.')
    const pattern = `${literal(fullPrefix)}${asked ? within.replace(/(\.\*)+$/, '.') : ''}*`
    const seen = new Set<string>()
    for (const node of client.nodes?.('master') ?? [client]) {
      let cursor = '0'
      do {
        const [next, names] = await mapped(() => answered(node.scan(cursor, 'MATCH', pattern, 'COUNT', SCANNED)))
        for (const name of names) seen.add(name.slice(fullPrefix.length))
        cursor = next
      } while (cursor !== '0')
    }
    return [...seen].filter((key) => key > after).sort()
  }

  /** Returns a record as a listing shows it; null if `query` rules it out, or it is gone. */
  async function listed(key: string, query: ListQuery): Promise<ListedRecord | null> {
    const { record, now } = toSeen(await call('list', key))
    return record && toListedRecord(key, record, query, now)
  }

  return {
    capabilities,
    check: ask,

    async begin(key, claim) {
      assertValueFits(capabilities.maxValueBytes, claim)
      const { record, now } = toSeen(await call('begin', key, claimArguments(claim)))
      const { reply } = reduce(record, { op: 'begin', claim }, now)
      // with lease and retention 0 the new record has expired already, and reduce acquires it once more
      return record && record.token !== reply.token ? { ...reply, token: record.token } : reply
    },

    async transition(key, token, change) {
      assertValueFits(capabilities.maxValueBytes, change)
      const { to } = change
      const command = to === 'renew' ? to : letters[to === 'forgotten' ? 'tombstone' : to]
      const answer = await call(command, key, [token, ...changeArguments(change)])
      if (!Array.isArray(answer)) return { outcome: 'ok', applied: Number(answer) === 1 }
      const { record, now } = toSeen(answer)
      return reduce(record, { op: 'transition', token, change }, now).reply
    },

    async get(key) {
      const { record, now } = toSeen(await call('get', key))
      return reduce(record, { op: 'get' }, now).reply
    },

    async *list(query) {
      const { limit = Number.POSITIVE_INFINITY } = query
      const keys = await keysOf(query)
      let given = 0
      for (let at = 0; at < keys.length && given < limit; at += PAGE) {
        const page = keys.slice(at, at + PAGE)
        const found = await Promise.all(page.map((key) => listed(key, query)))
        for (const record of found) {
          if (given === limit) return
          if (!record) continue
          given++
          yield record
        }
      }
    },

    watch: (key, onChange, signal) => mapped(() => watch(fullPrefix + key, onChange, signal)),
  }
}

interface Waiting {
  readonly replicas: number
  readonly timeoutMs: number
}

/** @throws {@link IdempotencyInvalidOptionError} when WAIT could be about another connection than the one that wrote */
function readDurability(client: RedisClient, { replicas, timeout = '1s' }: Durability, resends: boolean): Waiting {
  const timeoutMs = toMs('durability.timeout', timeout, { min: 1 })
  const problem = client.isCluster
    ? 'is not for a Cluster, where WAIT may reach another server than the record: set min-replicas-to-write on them'
    : resends || client.options.enableAutoPipelining
      ? 'needs a client with autoResendUnfulfilledCommands: false and without enableAutoPipelining'
      : (!Number.isSafeInteger(replicas) || replicas < 1) && 'takes a whole number of replicas, from 1'
  if (problem) throw new IdempotencyInvalidOptionError('durability', problem)
  return { replicas, timeoutMs }
}

/** Copies bytes, since ioredis may write later, and into a Buffer, since it writes any other Uint8Array as text. */
function toSent(value: Argument): string | Buffer {
  return value instanceof Uint8Array ? Buffer.from(value) : String(value)
}
