/** Any storage with compare-and-set on one entry as a full store: read, let `reduce` decide, swap. */
import { decodeRecord, encodeRecord } from './cas-record.ts'
import { IdempotencyError, StoreUnavailableError } from './errors.ts'
import { requireRoom } from './limits.ts'
import { listed } from './listing.ts'
import { isPurgeable, type Reduced, reduce, type StoredRecord } from './reduce.ts'
import type { IdempotencyStore, ListedRecord, ListQuery, StoreCapabilities } from './store.ts'
import { backOff, sleep } from './timers.ts'

/** What stands under a key: its bytes, and whatever the storage tells two versions of them apart by. */
export interface CasEntry<Revision> {
  readonly value: Uint8Array
  readonly revision: Revision
}

/** A storage of bytes. Each member answers, or throws; what it throws becomes a `StoreUnavailableError`. */
export interface CasStorage<Revision> {
  /** The newest entry of a key (never a replica's or a cache's), or null. */
  read(key: string): Promise<CasEntry<Revision> | null>
  /**
   * Writes `value` if the entry still has `revision` (null: if there still is no entry), in one atomic step.
   * `false` says that nothing was written; where that is not known, it throws.
   */
  swap(key: string, value: Uint8Array, revision: Revision | null): Promise<boolean>
  /** The clock that decides expiry, in milliseconds. @default Date.now */
  now?(): number | Promise<number>
  /** Every key of the storage, in any order. With it the store can list. */
  keys?(): AsyncIterable<string> | Iterable<string>
  /** Removes the entry if it still has `revision`, and says whether it did. With it and `keys` the store can purge. */
  remove?(key: string, revision: Revision): Promise<boolean>
  /**
   * What the storage promises. An entry holds two values at most (the request, and a checkpoint or a result), so
   * `maxValueBytes` is less than half of what an entry may have.
   *
   * @default { clock: 'host', durable: false, shared: 'process', maxValueBytes: 1 MiB }
   */
  readonly capabilities?: Partial<Omit<StoreCapabilities, 'transactional'>>
}

interface Seen<Revision> {
  /** Whole µs, and never before the record's last change. */
  readonly now: number
  readonly record: StoredRecord | null
  readonly revision: Revision | null
}

const MAX_TRIES = 20
const DEFAULT_GRACE_MS = 60_000

/**
 * A full store on a compare-and-set storage. A call reads once, and swaps once where it changes something; only when
 * another writer came first it does so again, a bounded number of times.
 */
export function createCasStore<Revision>(storage: CasStorage<Revision>): IdempotencyStore {
  /** The clock comes first: taken after the read, a record that was renewed meanwhile would look expired. */
  async function look(key: string): Promise<Seen<Revision>> {
    const clock = Math.round((await guard('no', async () => storage.now?.() ?? Date.now())) * 1000)
    const entry = await guard('no', () => storage.read(key))
    if (!entry) return { now: clock, record: null, revision: null }
    const { at, record } = decodeRecord(key, entry.value)
    return { now: Math.max(clock, at), record, revision: entry.revision }
  }

  async function apply<Reply>(
    key: string,
    decide: (record: StoredRecord | null, now: number) => Reduced<Reply>,
  ): Promise<Reply> {
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      if (tries > 0) await sleep(backOff(tries, { firstMs: 1, maxMs: 250 }))
      const seen = await look(key)
      const { record, reply } = decide(seen.record, seen.now)
      if (record === null || record === seen.record) return reply
      const value = encodeRecord({ at: seen.now, record })
      if (await guard('unknown', () => storage.swap(key, value, seen.revision))) return reply
    }
    throw new StoreUnavailableError(`Other writers of '${key}' came first in ${MAX_TRIES} tries. Try again.`, {
      applied: 'no',
    })
  }

  /** The keys one by one: iteration can fail as any other read. */
  async function* eachKey(): AsyncGenerator<string> {
    try {
      yield* storage.keys?.() ?? []
    } catch (cause) {
      throw unavailable('no', cause)
    }
  }

  async function* list({ limit = Number.POSITIVE_INFINITY, ...query }: ListQuery): AsyncGenerator<ListedRecord> {
    let count = 0
    for await (const key of eachKey()) {
      if (count >= limit) return
      const { now, record } = await look(key)
      const found = record && listed(key, record, query, now)
      if (!found) continue
      count++
      yield found
    }
  }

  async function purge({ limit, graceMs = DEFAULT_GRACE_MS }: { limit: number; graceMs?: number }): Promise<number> {
    let count = 0
    for await (const key of eachKey()) {
      if (count >= limit) break
      const { now, record, revision } = await look(key)
      if (record === null || revision === null || !isPurgeable(record, now, graceMs)) continue
      if (await guard('unknown', async () => storage.remove?.(key, revision))) count++
    }
    return count
  }

  const capabilities: StoreCapabilities = {
    clock: 'host',
    durable: false,
    shared: 'process',
    maxValueBytes: 2 ** 20,
    ...storage.capabilities,
    transactional: false,
  }

  return {
    capabilities,
    async begin(key, claim) {
      requireRoom(capabilities.maxValueBytes, claim)
      return apply(key, (record, now) => reduce(record, { op: 'begin', claim }, now))
    },
    async transition(key, token, change) {
      requireRoom(capabilities.maxValueBytes, change)
      return apply(key, (record, now) => reduce(record, { op: 'transition', token, change }, now))
    },
    get: (key) => apply(key, (record, now) => reduce(record, { op: 'get' }, now)),
    ...(storage.keys && { list }),
    ...(storage.keys && storage.remove && { purge }),
  }
}

async function guard<T>(applied: 'no' | 'unknown', call: () => T | Promise<T>): Promise<T> {
  try {
    return await call()
  } catch (cause) {
    throw unavailable(applied, cause)
  }
}

function unavailable(applied: 'no' | 'unknown', cause: unknown): Error {
  if (cause instanceof IdempotencyError) return cause
  return new StoreUnavailableError(`The storage failed: ${String(cause)}`, { applied, cause })
}
