import { warn, within } from '@retryproof/core/internal'
import {
  assertKnownOptions,
  type BeginReply,
  type Claim,
  type Duration,
  IdempotencyInvalidOptionError,
  type IdempotencyStore,
  type NoTransactions,
  toMs,
  wrapStore,
} from '@retryproof/core/store'
import { entryFormat, toEntry, toRecord } from './entry.ts'
import { forgottenKeys } from './forgotten-keys.ts'

/** A cache of bytes. It may lose entries, refuse, answer late, or answer wrong bytes: no outcome depends on it. */
export interface SettledCache {
  /** Tells that other processes use it too, so that `durableId` is needed to share entries with them. @default false */
  readonly isShared?: boolean
  get(key: string): Uint8Array | null | undefined | Promise<Uint8Array | null | undefined>
  set(key: string, value: Uint8Array, ttlMs: number): unknown
  delete(key: string): unknown
}

export interface TieredStoreOptions<Tx> {
  /** One cache, or several, the nearest first. */
  readonly cache: SettledCache | readonly SettledCache[]
  /** The durable store. It decides; the cache holds records that it has settled. */
  readonly durable: IdempotencyStore<Tx>
  /**
   * Names the durable store: the same text in every process that shares a cache and a database, and another one for
   * each other database. Entries of another name are misses. @default a random name: entries serve this process alone
   */
  readonly durableId?: string
  /** The life of an entry, and so the time after which a `forget` binds in every other process. @default '30s' */
  readonly cacheFor?: Duration
  /** Bounds each call of a cache, and the wait for another call of the same key. @default 100 */
  readonly cacheTimeout?: Duration
  /** Replaces the clock of the machine, in milliseconds, for tests. */
  readonly now?: (() => number) | undefined
}

/** Random names of durable stores without a name of their own: two tiered stores over one of them share entries. */
const randomIds = new WeakMap<object, string>()

const knownOptions = {
  cache: true,
  durable: true,
  durableId: true,
  cacheFor: true,
  cacheTimeout: true,
  now: true,
} as const

/**
 * Replays settled records from a cache; everything else is the durable store's. Never caches that a key is absent, in
 * progress, released or parked, and writes nothing before the durable store has settled it.
 *
 * @example
 * import { memoryStore } from '@retryproof/memory'
 * import { lruCache, tieredStore } from '@retryproof/tiered'
 *
 * const store = tieredStore({ cache: lruCache(), durable: memoryStore() })
 *
 * @throws {@link IdempotencyInvalidOptionError} when an option is out of range
 */
export function tieredStore<Tx = NoTransactions>(options: TieredStoreOptions<Tx>): IdempotencyStore<Tx> {
  assertKnownOptions(options, knownOptions)
  const { durable, now = Date.now } = options
  const caches = [options.cache].flat()
  const cacheForMs = toMs('cacheFor', options.cacheFor ?? '30s', { min: 1, max: 3_600_000 })
  const cacheTimeoutMs = toMs('cacheTimeout', options.cacheTimeout ?? 100, { min: 1 })
  if (caches.length === 0) throw new IdempotencyInvalidOptionError('cache', 'must be a cache, or several')
  const { encode, decode } = entryFormat(readDurableId(options.durableId, durable, caches))
  const forgotten = forgottenKeys(cacheForMs, now)
  const flights = new Map<string, Flight>()

  /** Finds a settled reply for this payload in the caches. Copies it into the nearer ones. */
  async function lookUp(key: string, { fingerprint, readOnly }: Claim): Promise<BeginReply | null> {
    for (const [index, cache] of caches.entries()) {
      const bytes = await inTime(() => cache.get(key), cacheTimeoutMs)
      const entry = bytes ? decode(key, bytes) : null
      if (!bytes || entry?.fingerprint !== fingerprint || forgotten.isVoid(key, entry.token)) continue
      const at = now()
      // a process whose clock is ahead writes entries that would outlive a `forget`
      if (entry.deadline > at + cacheForMs) continue
      const record = toRecord(entry, at, readOnly)
      if (!record) continue
      for (const nearer of caches.slice(0, index)) put(nearer, key, bytes, entry.deadline - at)
      return { outcome: 'settled', ...record }
    }
    return null
  }

  function remember(key: string, reply: BeginReply, sentAt: number): void {
    const entry = reply.outcome === 'settled' ? toEntry(reply, sentAt, cacheForMs) : null
    if (!entry) return
    const bytes = encode(key, entry)
    const ttlMs = Math.floor(entry.deadline - now())
    if (ttlMs <= 0 || forgotten.isVoid(key, entry.token)) return
    for (const cache of caches) put(cache, key, bytes, ttlMs)
  }

  async function beginDurably(key: string, claim: Claim, sentAt: number): Promise<BeginReply> {
    const reply = await durable.begin(key, claim)
    remember(key, reply, sentAt)
    return reply
  }

  /** Waits for a call under way as long as for a cache; a call that hangs holds up nobody else. */
  async function settledReply(key: string, { sentAt, reply }: Flight): Promise<BeginReply | null> {
    const answer = await inTime(() => reply, cacheTimeoutMs)
    const entry = answer?.outcome === 'settled' ? toEntry(answer, sentAt, cacheForMs) : null
    const record = entry && !forgotten.isVoid(key, entry.token) && toRecord(entry, now())
    return record ? { outcome: 'settled', ...record } : null
  }

  /** Shares the settled reply of a call under way for the same key and payload; else asks the durable store. */
  async function beginOnce(key: string, claim: Claim): Promise<BeginReply> {
    const name = `${key} ${claim.fingerprint}`
    const ahead = flights.get(name)
    const shared = ahead && (await settledReply(key, ahead))
    if (shared) return shared
    const sentAt = now()
    const own: Flight = { sentAt, reply: beginDurably(key, claim, sentAt) }
    flights.set(name, own)
    try {
      return await own.reply
    } finally {
      if (flights.get(name) === own) flights.delete(name)
    }
  }

  return wrapStore(durable, {
    async begin(key, claim) {
      return (await lookUp(key, claim)) ?? (await beginOnce(key, claim))
    },
    async transition(key, token, change) {
      const reply = await durable.transition(key, token, change)
      if (change.to === 'forgotten' && reply.outcome === 'ok') {
        forgotten.add(key, token)
        // a hint to other processes that share the cache; without it their entries live until their deadline
        for (const cache of caches) await inTime(() => cache.delete(key), cacheTimeoutMs)
      }
      return reply
    },
  })
}

function readDurableId(id: string | undefined, durable: object, caches: readonly SettledCache[]): string {
  if (id !== undefined) {
    if (typeof id === 'string' && id.length > 0 && id.isWellFormed()) return id
    throw new IdempotencyInvalidOptionError('durableId', 'must be a text, such as the name of the database')
  }
  if (caches.some(({ isShared }) => isShared)) {
    warn('tieredStore: without `durableId`, entries of a shared cache serve this process alone')
  }
  const random = randomIds.get(durable) ?? crypto.randomUUID()
  randomIds.set(durable, random)
  return random
}

/** A begin that is under way. */
interface Flight {
  readonly sentAt: number
  readonly reply: Promise<BeginReply>
}

/** Writes to a cache without waiting for it. A failure costs a later call only. */
function put(cache: SettledCache, key: string, bytes: Uint8Array, ttlMs: number): void {
  void inTime(() => cache.set(key, bytes, Math.max(1, Math.floor(ttlMs))), 1000)
}

/** Returns the answer of a call, or undefined if it fails or is late. */
async function inTime<T>(call: () => T | Promise<T>, timeoutMs: number): Promise<T | undefined> {
  try {
    const answer = call()
    // a cache in the memory of this process answers at once
    if (typeof Object(answer).then !== 'function') return answer
    return await within(timeoutMs, Promise.resolve(answer), () => new Error('late'))
  } catch {
    return undefined
  }
}
