/** Records that a purge may remove. */

import type { StoredRecord } from './reduce.ts'
import { toUs } from './units.ts'

/** The grace of a purge: the most by which the clock of a store may go back without a token being given out twice. */
export const PURGE_GRACE_MS = 60_000

/**
 * True where `purge` may remove the record: nobody can notice, and no token can be given out twice.
 *
 * @example
 * import { isPurgeable, PURGE_GRACE_MS, type StoredRecord } from '@retryproof/core/store'
 *
 * declare const records: Map<string, StoredRecord>
 * const now = Date.now() * 1000
 * for (const [key, record] of records) if (isPurgeable(record, now, PURGE_GRACE_MS)) records.delete(key)
 */
export function isPurgeable(record: StoredRecord, now: number, graceMs: number): boolean {
  return record.expiresAt + toUs(graceMs) <= now && record.token < now
}
