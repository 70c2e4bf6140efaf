/** Listings, for stores that look at one record after another. */
import type { StoredRecord } from './reduce.ts'
import type { ListedRecord, ListQuery, RecordCount } from './store.ts'

/** Takes a storage key apart. A text that is none has empty parts. */
export function partsOf(key: string): {
  readonly namespace: string
  readonly operation: string
  readonly digest: string
} {
  const [namespace = '', operation = '', digest = ''] = key.split('.')
  return { namespace, operation, digest }
}

/**
 * The record as a listing shows it, or null where `query` does not ask for it. Tombstones are never listed.
 *
 * @param now whole µs of the store's clock
 *
 * @example
 * import { type StoredRecord, toListedRecord } from '@retryproof/core/store'
 *
 * declare const records: Map<string, StoredRecord>
 * const now = Date.now() * 1000
 * const parked = [...records].map(([key, record]) => toListedRecord(key, record, { state: 'parked' }, now))
 */
export function toListedRecord(key: string, record: StoredRecord, query: ListQuery, now: number): ListedRecord | null {
  const { state, token, attempt, interrupted, leaseUntil, expiresAt } = record
  if (state === 'tombstone') return null
  const { namespace, operation, digest } = partsOf(key)
  const leased = state === 'in_progress' || state === 'released'
  const asked =
    (query.expired || expiresAt > now) &&
    (query.after === undefined || key > query.after) &&
    (query.namespace === undefined || query.namespace === namespace) &&
    (query.operation === undefined || query.operation === operation) &&
    (query.scope === undefined || digest.startsWith(query.scope)) &&
    (query.state === undefined || query.state === state) &&
    (query.stuckForMs === undefined || (leased && leaseUntil + query.stuckForMs * 1000 <= now))
  if (!asked) return null
  return {
    key,
    state,
    token,
    attempt,
    interrupted,
    leaseExpiredMs: state === 'in_progress' ? Math.max(0, Math.floor((now - leaseUntil) / 1000)) : 0,
    leaseRemainingMs: leased ? Math.max(0, Math.ceil((leaseUntil - now) / 1000)) : 0,
    retentionRemainingMs: Math.ceil((expiresAt - now) / 1000),
  }
}

/** A record as a store read it, at a moment (µs) of its clock. Null: it is not one that a listing shows. */
export interface SeenRecord {
  readonly key: string
  readonly record: StoredRecord | null
  readonly now: number
}

/** The range of keys that a listing can be in: above `after`, below `end`. */
export interface KeyRange {
  readonly after: string
  readonly end: string
}

/**
 * Returns the range of the keys that `query` asks for, so that an index finds them without a scan.
 *
 * @example
 * import { keyRange } from '@retryproof/core/store'
 *
 * const { after, end } = keyRange({ namespace: 'shop', operation: 'charge' })
 * console.log('SELECT k FROM retryproof WHERE k > $1 AND k < $2 ORDER BY k', [after, end])
 */
export function keyRange({ namespace, operation, scope = '', after = '' }: ListQuery): KeyRange {
  const parts = operation === undefined ? '' : `${operation}.${scope}`
  const start = namespace === undefined ? '' : `${namespace}.${parts}`
  // comes after every character of a key
  return { after: after > start ? after : start, end: `${start}\u{10ffff}` }
}

/**
 * Lists the records that `query` asks for, as many as it allows. The records come in the order of their keys.
 *
 * @example
 * import { type ListQuery, listRecords, type StoredRecord } from '@retryproof/core/store'
 *
 * declare const records: Map<string, StoredRecord>
 *
 * function list(query: ListQuery) {
 *   const now = Date.now() * 1000
 *   return listRecords(query, [...records].map(([key, record]) => ({ key, record, now })))
 * }
 */
export async function* listRecords(
  { limit = Number.POSITIVE_INFINITY, ...query }: ListQuery,
  records: Iterable<SeenRecord> | AsyncIterable<SeenRecord>,
): AsyncGenerator<ListedRecord> {
  let count = 0
  if (limit <= 0) return
  for await (const { key, record, now } of records) {
    const found = record && toListedRecord(key, record, query, now)
    if (!found) continue
    yield found
    count++
    if (count >= limit) return
  }
}

const PAGE_ROWS = 500

/**
 * Lists records that a store reads in any order: finds all that `query` asks for, and sorts them. With a limit it keeps no more
 * than about twice as many at once.
 *
 * @example
 * import { type ListQuery, listUnsorted, type StoredRecord } from '@retryproof/core/store'
 *
 * declare const records: Map<string, StoredRecord>
 *
 * function list(query: ListQuery) {
 *   const now = Date.now() * 1000
 *   return listUnsorted(query, [...records].map(([key, record]) => ({ key, record, now })))
 * }
 */
export async function* listUnsorted(
  { limit = Number.POSITIVE_INFINITY, ...query }: ListQuery,
  records: Iterable<SeenRecord> | AsyncIterable<SeenRecord>,
): AsyncGenerator<ListedRecord> {
  const first = (found: ListedRecord[]) => found.sort((a, b) => (a.key < b.key ? -1 : 1)).slice(0, Math.max(0, limit))
  let found: ListedRecord[] = []
  for await (const record of listRecords(query, records)) {
    found.push(record)
    if (found.length >= 2 * limit + PAGE_ROWS) found = first(found)
  }
  yield* first(found)
}

/**
 * Counts a listing, for a store that cannot count.
 *
 * @example
 * import { countRecords, type ListedRecord } from '@retryproof/core/store'
 *
 * declare const listed: AsyncIterable<ListedRecord>
 * console.log(await countRecords(listed))
 */
export async function countRecords(listed: AsyncIterable<ListedRecord>): Promise<RecordCount[]> {
  const counts = new Map<string, RecordCount>()
  for await (const { key, state, leaseRemainingMs, leaseExpiredMs } of listed) {
    const { operation } = partsOf(key)
    const name = `${operation} ${state}`
    const { records = 0, leaseExpired = 0, longestExpiredMs = 0 } = counts.get(name) ?? {}
    counts.set(name, {
      operation,
      state,
      records: records + 1,
      leaseExpired: leaseExpired + Number(state === 'in_progress' && leaseRemainingMs === 0),
      longestExpiredMs: Math.max(longestExpiredMs, leaseExpiredMs),
    })
  }
  return [...counts.values()]
}

/**
 * Reads records page by page, in the order of their keys. `readPage` reads at most `limit` of a range.
 *
 * @example
 * import { type ListQuery, type KeyRange, keyRange, listRecords, readPages, type SeenRecord } from '@retryproof/core/store'
 *
 * declare function select(range: KeyRange, limit: number): Promise<SeenRecord[]>
 *
 * const list = (query: ListQuery) => listRecords(query, readPages(select, keyRange(query)))
 */
export async function* readPages(
  readPage: (range: KeyRange, limit: number) => Promise<readonly SeenRecord[]>,
  { after, end }: KeyRange,
): AsyncGenerator<SeenRecord> {
  let last = after
  for (;;) {
    const page = await readPage({ after: last, end }, PAGE_ROWS)
    yield* page
    if (page.length < PAGE_ROWS) return
    last = page.at(-1)?.key ?? last
  }
}
