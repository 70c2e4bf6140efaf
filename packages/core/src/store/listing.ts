/** Listings, for stores that look at one record after another. */
import type { StoredRecord } from './reduce.ts'
import type { ListedRecord, ListQuery } from './store.ts'

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
  const [namespace, operation, digest = ''] = key.split('.')
  const leased = state === 'in_progress' || state === 'released'
  const asked =
    (query.expired || expiresAt > now) &&
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

/**
 * Lists the records that `query` asks for, as many as it allows.
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
 * Reads records page by page, in the order of their keys. `readPage` reads at most `limit` of those after a key.
 *
 * @example
 * import { type ListQuery, listRecords, readPages, type SeenRecord } from '@retryproof/core/store'
 *
 * declare function selectAfter(key: string, limit: number): Promise<SeenRecord[]>
 *
 * const list = (query: ListQuery) => listRecords(query, readPages(selectAfter))
 */
export async function* readPages(
  readPage: (after: string, limit: number) => Promise<readonly SeenRecord[]>,
): AsyncGenerator<SeenRecord> {
  let after = ''
  for (;;) {
    const page = await readPage(after, PAGE_ROWS)
    yield* page
    if (page.length < PAGE_ROWS) return
    after = page.at(-1)?.key ?? after
  }
}
