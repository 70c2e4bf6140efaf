/** Any storage with compare-and-set on one entry as a full store: read, let `reduce` decide, swap. */

import { backOff, sleep } from '../../base/timers.ts'
import { isIdempotencyError, StoreUnavailableError } from '../../errors.ts'
import { listUnsorted } from '../listing.ts'
import { isPurgeable, PURGE_GRACE_MS } from '../purgeable.ts'
import { type Reduced, reduce, type StoredRecord } from '../reduce.ts'
import type { ListQuery, RecordStore, StoreCapabilities } from '../store.ts'
import { toUs } from '../units.ts'
import { assertValueFits } from '../value-limit.ts'
import { decodeRecord, encodeRecord } from './cas-record.ts'

/** The entry of a key: its bytes, and the revision by which the storage tells two versions apart. */
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
  /** Every entry of the storage, in any order; some may be older than what `read` would give. With it the store can list. */
  entries?(): AsyncIterable<CasEntry<Revision> & { readonly key: string }>
  /**
   * Removes the entry if it still has `revision`, and says whether it did. With it and `entries` the store can purge.
   * An entry that is made again must get a revision that no earlier one of its key had.
   */
  remove?(key: string, revision: Revision): Promise<boolean>
  /**
   * The promises of the storage. An entry holds two values at most (the request, and a checkpoint or a result), so
   * `maxValueBytes` is less than half of what an entry may have.
   *
   * @default { clock: 'host', durable: false, shared: 'process', maxValueBytes: 1 MiB }
   */
  readonly capabilities?: Partial<Omit<StoreCapabilities, 'transactional'>>
}

const MAX_TRIES = 20

/**
 * A full store on a compare-and-set storage. A call reads once, and swaps once where it changes something; only when
 * another writer came first it does so again, a bounded number of times.
 *
 * @example
 * import { type CasEntry, createCasStore } from '@retryproof/core/store'
 *
 * const entries = new Map<string, CasEntry<number>>()
 * const store = createCasStore<number>({
 *   read: async (key) => entries.get(key) ?? null,
 *   swap: async (key, value, revision) => {
 *     if ((entries.get(key)?.revision ?? null) !== revision) return false
 *     entries.set(key, { value, revision: (revision ?? 0) + 1 })
 *     return true
 *   },
 * })
 */
export function createCasStore<Revision>(storage: CasStorage<Revision>): RecordStore {
  const clock = async () => toUs(await guard('no', async () => storage.now?.() ?? Date.now()))

  async function apply<Reply>(
    key: string,
    decide: (record: StoredRecord | null, now: number) => Reduced<Reply>,
  ): Promise<Reply> {
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      if (tries > 0) await sleep(backOff(tries - 1, { firstMs: 2, maxMs: 250 }))
      // before the read: taken after it, a record that was renewed meanwhile would look expired
      const before = await clock()
      const entry = await guard('no', () => storage.read(key))
      const stored = entry && decodeRecord(key, entry.value)
      // after the read, if there is no record to misjudge: a purge in between may have removed a token as high as `before`
      const at = stored ? Math.max(before, stored.at) : await clock()
      const { record, reply } = decide(stored?.record ?? null, at)
      if (record === null || record === stored?.record) return reply
      const value = encodeRecord({ at, record })
      if (await guard('unknown', () => storage.swap(key, value, entry?.revision ?? null))) return reply
    }
    throw new StoreUnavailableError(`Other writers of '${key}' came first in ${MAX_TRIES} tries. Try again.`, {
      applied: 'no',
    })
  }

  /** Every record, by a clock that is read once, before all of them. */
  async function* scan(): AsyncGenerator<{ key: string; record: StoredRecord; revision: Revision; now: number }> {
    const before = await clock()
    try {
      for await (const { key, value, revision } of storage.entries?.() ?? []) {
        const { at, record } = decodeRecord(key, value)
        yield { key, record, revision, now: Math.max(before, at) }
      }
    } catch (cause) {
      throw unavailable('no', cause)
    }
  }

  async function purge({ limit, graceMs = PURGE_GRACE_MS }: { limit: number; graceMs?: number }): Promise<number> {
    let count = 0
    for await (const { key, record, revision, now } of scan()) {
      if (count >= limit) break
      if (!isPurgeable(record, now, graceMs)) continue
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
      assertValueFits(capabilities.maxValueBytes, claim)
      return apply(key, (record, now) => reduce(record, { op: 'begin', claim }, now))
    },
    async transition(key, token, change) {
      assertValueFits(capabilities.maxValueBytes, change)
      return apply(key, (record, now) => reduce(record, { op: 'transition', token, change }, now))
    },
    get: (key) => apply(key, (record, now) => reduce(record, { op: 'get' }, now)),
    ...(storage.entries && { list: (query: ListQuery) => listUnsorted(query, scan()) }),
    ...(storage.entries && storage.remove && { purge }),
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
  if (isIdempotencyError(cause)) return cause
  return new StoreUnavailableError(`The storage failed: ${String(cause)}`, { applied, cause })
}
