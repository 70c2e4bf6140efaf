/** The outcomes of a call that ran, and the change that records its result. */

import type { Outcome } from '../../api/call.ts'
import type { Encoded } from '../../encoding/result.ts'
import type { Change } from '../../store/store.ts'
import type { PreparedCall } from '../context/prepared-call.ts'

/** The change that records a result. */
export function completed({ policies }: PreparedCall, { result }: Pick<Encoded<unknown>, 'result'>): Change {
  return { to: 'completed', result, retentionMs: policies.retentionMs, immutable: true }
}

export function recordedOutcome<T>({ policies }: PreparedCall, value: T, attempt: number): Outcome<T> {
  return { value, replayed: false, recorded: true, attempt, retentionRemainingMs: policies.retentionMs }
}

export function unrecordedOutcome<T>(value: T, attempt: number): Outcome<T> {
  return { value, replayed: false, recorded: false, attempt, retentionRemainingMs: 0 }
}
