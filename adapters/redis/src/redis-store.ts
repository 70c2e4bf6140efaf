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
  toListedRecord,
  toMs,
} from '@retryproof/core/store'
import { createCheck } from './check-server.ts'
import { mayResend, type RedisClient, requireUsable, untilClosed } from './driver.ts'
import { isOfAnother, toStoreError } from './errors.ts'
import { isOk, toSeen } from './record.ts'
import { createSender, type Waiting } from './sender.ts'
import { askedBegin, askedChange, reads } from './statements.ts'
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
  /** Lets calls of one tick of the event loop share a script, but in a Cluster. @default true */
  readonly batch?: boolean
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
  assertKnownOptions(options, {
    client: true,
    prefix: true,
    durability: true,
    allowEviction: true,
    batch: true,
    now: true,
  })
  const { prefix = 'retryproof:', durability, allowEviction = false, batch = true, now } = options
  const client = requireUsable(options.client)
  if (!prefix) throw new IdempotencyInvalidOptionError('prefix', 'must not be empty: a listing finds its records by it')
  const resends = mayResend(client)
  const wait = durability && readDurability(client, durability, resends)
  const answered = resends ? <T>(reply: Promise<T>) => reply : untilClosed(client)
  const fullPrefix = `${client.options.keyPrefix ?? ''}${prefix}`
  const watch = createWatch(client)
  const { ask, passed } = createCheck({ client, prefix, allowEviction, answered, resends })
  let wasReady = client.status === 'ready'
  client.on('ready', () => {
    wasReady = true
  })

  // a client that never connected is an outage
  const mapped = (error: unknown) => toStoreError(error, resends, wasReady && client.status === 'end')
  const refused = (error: unknown): never => {
    throw mapped(error)
  }
  const call = createSender({ client, prefix, passed, answered, mapped, durability: wait, batch, now })

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
        const scanned = answered(node.scan(cursor, 'MATCH', pattern, 'COUNT', SCANNED))
        const [next, names] = await scanned.catch(refused)
        for (const name of names) seen.add(name.slice(fullPrefix.length))
        cursor = next
      } while (cursor !== '0')
    }
    return [...seen].filter((key) => key > after).sort()
  }

  /** Returns a record as a listing shows it; null if `query` rules it out, it is gone, or something else has its name. */
  async function listed(key: string, query: ListQuery): Promise<ListedRecord | null> {
    try {
      const { record, now } = toSeen(await call(key, reads.list))
      return record && toListedRecord(key, record, query, now)
    } catch (error) {
      if (isOfAnother(error)) return null
      throw error
    }
  }

  return {
    capabilities,
    check: ask,

    async begin(key, claim) {
      assertValueFits(capabilities.maxValueBytes, claim)
      const answer = await call(key, askedBegin(claim))
      if (isOk(answer)) return reduce(null, { op: 'begin', claim }, answer.now).reply
      const { record, now } = toSeen(answer)
      const { reply } = reduce(record, { op: 'begin', claim }, now)
      // with lease and retention 0 the new record has expired already, and reduce acquires it once more
      return record && record.token !== reply.token ? { ...reply, token: record.token } : reply
    },

    async transition(key, token, change) {
      assertValueFits(capabilities.maxValueBytes, change)
      const answer = await call(key, askedChange(token, change))
      if (answer.found.length === 1) return { outcome: 'ok', applied: isOk(answer) }
      const { record, now } = toSeen(answer)
      return reduce(record, { op: 'transition', token, change }, now).reply
    },

    async get(key) {
      const { record, now } = toSeen(await call(key, reads.get))
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

    watch: (key, onChange, signal) => watch(fullPrefix + key, onChange, signal).catch(refused),
  }
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
