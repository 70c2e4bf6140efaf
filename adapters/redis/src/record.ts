/** Converts replies of the script to record views. */
import { type ListedRecord, type ListQuery, type RecordView, toListedRecord } from '@retryproof/core/store'
import type { Field } from './statements.ts'

export const text = (field: Field | undefined): string => String(field ?? '')

export const number = (field: Field | undefined): number => Number(text(field))

/** Copies bytes: the driver's Buffer is a part of everything that it read at once. */
const bytes = (field: Field | undefined): Uint8Array | null =>
  field instanceof Uint8Array ? new Uint8Array(field) : null

export function toView(reply: Field[]): RecordView {
  const [, state, token, fingerprint, attempt, interrupted, lease, retention, request, seq, data, result] = reply
  const checkpoint = bytes(data)
  return {
    state: text(state) as RecordView['state'],
    token: number(token),
    fingerprint: text(fingerprint),
    attempt: number(attempt),
    interrupted: number(interrupted) === 1,
    leaseRemainingMs: number(lease),
    retentionRemainingMs: number(retention),
    request: bytes(request),
    checkpoint: checkpoint && { seq: number(seq), data: checkpoint },
    result: bytes(result),
  }
}

const unread = { owner: '', fingerprint: '', request: null, checkpoint: null, result: null }

/** Returns a record as a listing shows it; null if `query` rules it out, or it is gone. */
export function toListed(key: string, reply: Field[], query: ListQuery): ListedRecord | null {
  const [state, token, attempt, interrupted, lease, expires, now] = reply
  if (state === undefined) return null
  const record = {
    ...unread,
    state: text(state) as RecordView['state'],
    token: number(token),
    attempt: number(attempt),
    interrupted: number(interrupted) === 1,
    leaseUntil: number(lease),
    expiresAt: number(expires),
  }
  return toListedRecord(key, record, query, number(now))
}
