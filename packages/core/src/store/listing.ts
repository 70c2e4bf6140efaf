/** What `list` gives, for stores that look at one record after another. */
import type { StoredRecord } from './reduce.ts'
import type { ListedRecord, ListQuery } from './store.ts'

/**
 * The record as a listing shows it, or null where `query` does not ask for it. Tombstones are never listed.
 *
 * @param now whole µs of the store's clock
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
