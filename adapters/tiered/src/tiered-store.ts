import {
  type BeginReply,
  type Claim,
  type Duration,
  IdempotencyInvalidOptionError,
  type IdempotencyStore,
  toMs,
  wrapStore,
} from '@retryproof/core/store'
import { decodeEntry, encodeEntry, toEntry, toRecord } from './entry.ts'

/** A cache of bytes. It may forget, refuse, answer late or answer something old: no outcome depends on it. */
export interface SettledCache {
  get(key: string): Uint8Array | null | undefined | Promise<Uint8Array | null | undefined>
  set(key: string, value: Uint8Array, ttlMs: number): unknown
  delete(key: string): unknown
}

export interface TieredStoreOptions<Tx> {
  /** One cache, or several, the nearest first. */
  readonly cache: SettledCache | readonly SettledCache[]
  /** Decides. Only what it has settled is cached. */
  readonly durable: IdempotencyStore<Tx>
  /** How long an entry is believed, and so how late a `forget` may bind in another process. @default '30s' */
  readonly cacheFor?: Duration
  /** How long a cache is waited for. @default 100 */
  readonly cacheTimeout?: Duration
  /** For tests: replaces the clock of the machine, in milliseconds. */
  readonly now?: (() => number) | undefined
}

/**
 * Replays settled records from a cache; everything else is the durable store's. What is in progress, released or parked
 * is never cached, nor that a key is absent, and nothing is written before the durable store has settled it.
 *
 * @throws IdempotencyInvalidOptionError
 */
export function tieredStore<Tx = never>(options: TieredStoreOptions<Tx>): IdempotencyStore<Tx> {
  const { durable, now = Date.now } = options
  const caches = [options.cache].flat()
  const cacheForMs = toMs('cacheFor', options.cacheFor ?? '30s', { min: 1, max: 3_600_000 })
  const cacheTimeoutMs = toMs('cacheTimeout', options.cacheTimeout ?? 100, { min: 1 })
  const flights = new Map<string, Flight>()
  if (caches.length === 0) throw new IdempotencyInvalidOptionError('cache', 'must be a cache, or several')

  /** A settled reply, if one of the caches has it for this payload. What it finds goes into the nearer ones. */
  async function lookUp(key: string, fingerprint: string): Promise<BeginReply | null> {
    for (const [index, cache] of caches.entries()) {
      const bytes = await inTime(() => cache.get(key), cacheTimeoutMs)
      const entry = bytes ? decodeEntry(bytes) : null
      if (!bytes || entry?.fingerprint !== fingerprint) continue
      const at = now()
      const record = toRecord(entry, at)
      if (!record) continue
      for (const nearer of caches.slice(0, index)) put(nearer, key, bytes, entry.deadline - at)
      return { outcome: 'settled', ...record }
    }
    return null
  }

  function remember(key: string, reply: BeginReply, sentAt: number): void {
    const entry = reply.outcome === 'settled' ? toEntry(reply, sentAt, cacheForMs) : null
    const ttlMs = entry ? Math.floor(entry.deadline - now()) : 0
    if (!entry || ttlMs <= 0) return
    const bytes = encodeEntry(entry)
    for (const cache of caches) put(cache, key, bytes, ttlMs)
  }

  async function beginDurably(key: string, claim: Claim, sentAt: number): Promise<BeginReply> {
    const reply = await durable.begin(key, claim)
    remember(key, reply, sentAt)
    return reply
  }

  async function settledReply({ sentAt, reply }: Flight): Promise<BeginReply | null> {
    const answer = await reply.catch(() => null)
    const entry = answer?.outcome === 'settled' ? toEntry(answer, sentAt, cacheForMs) : null
    const record = entry && toRecord(entry, now())
    return record && { outcome: 'settled', ...record }
  }

  /** Those who ask while one asks wait for its answer, and use it if it is a settled one; else each asks itself. */
  async function beginOnce(key: string, claim: Claim): Promise<BeginReply> {
    const name = `${key} ${claim.fingerprint}`
    const ahead = flights.get(name)
    const shared = ahead && (await settledReply(ahead))
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
      return (await lookUp(key, claim.fingerprint)) ?? (await beginOnce(key, claim))
    },
    async transition(key, token, change) {
      const reply = await durable.transition(key, token, change)
      // a hint to this process and to shared caches; whoever misses it believes its entry for `cacheFor`
      if (change.to === 'forgotten') for (const cache of caches) await inTime(() => cache.delete(key), cacheTimeoutMs)
      return reply
    },
  })
}

/** A begin that is under way. */
interface Flight {
  readonly sentAt: number
  readonly reply: Promise<BeginReply>
}

/** Nobody waits for a cache to be written, and a failure costs a later call only. */
function put(cache: SettledCache, key: string, bytes: Uint8Array, ttlMs: number): void {
  void inTime(() => cache.set(key, bytes, Math.max(1, Math.floor(ttlMs))), 1000)
}

/** What a cache says in time, or undefined. */
async function inTime<T>(call: () => T | Promise<T>, timeoutMs: number): Promise<T | undefined> {
  let timer: ReturnType<typeof setTimeout> | undefined
  try {
    const answer = call()
    // the memory of this process answers at once
    if (typeof Object(answer).then !== 'function') return answer
    const late = new Promise<undefined>((resolve) => {
      timer = setTimeout(() => resolve(undefined), timeoutMs)
    })
    return await Promise.race([answer, late])
  } catch {
    return undefined
  } finally {
    clearTimeout(timer)
  }
}
