/** The words for a record that a person reads: its state, its lease, its expiry. */
import type { ListedRecord, RecordState } from '@retryproof/core'
import { duration } from './durations.ts'

/** The states by the names that users see. */
export const STATES: Readonly<Record<string, RecordState>> = {
  'in-progress': 'in_progress',
  released: 'released',
  parked: 'parked',
  completed: 'completed',
  failed: 'failed',
}

/** Returns the state as users compare it. */
export const stateName = (state: RecordState): string => state.replace('_', '-')

export function leaseOf({ state, leaseRemainingMs, leaseExpiredMs = 0 }: Partial<ListedRecord>): string {
  if (state !== 'in_progress' && state !== 'released') return ''
  if (leaseRemainingMs) return `${state === 'released' ? 'due in ' : ''}${duration(leaseRemainingMs)}`
  if (state === 'released') return 'due'
  return leaseExpiredMs > 0 ? `expired ${duration(leaseExpiredMs)} ago` : 'expired'
}

export const expiryOf = ({ retentionRemainingMs }: { retentionRemainingMs: number }): string =>
  retentionRemainingMs < 0 ? `${duration(retentionRemainingMs)} ago` : `in ${duration(retentionRemainingMs)}`

/** Tells whether an operation, as it stands in a key, is that of a route: it begins with a method. */
export const isRouteSlug = (operation: string): boolean => /^(get|post|put|patch|delete)-/.test(operation)
