import { type RecordCount, type StoredRecord, StoreMisconfiguredError } from '@retryproof/core/store'
import type { Row } from './driver.ts'

/** The record that a row of the table holds. */
export function toRecord(row: Row): StoredRecord {
  const data = bytes(row.checkpoint)
  const seq = row.checkpoint_seq ?? null
  return {
    state: String(row.state) as StoredRecord['state'],
    token: Number(row.token),
    owner: String(row.owner),
    fingerprint: String(row.fingerprint),
    attempt: Number(row.attempt),
    interrupted: Number(row.interrupted) === 1,
    leaseUntil: Number(row.lease_until),
    expiresAt: Number(row.expires_at),
    request: bytes(row.request),
    checkpoint: seq === null ? null : { seq: Number(seq), data: data ?? new Uint8Array() },
    result: bytes(row.result),
  }
}

/** The numbers of one operation and state. */
export function toCount(row: Row): RecordCount {
  return {
    operation: String(row.operation),
    state: String(row.state) as RecordCount['state'],
    records: Number(row.records),
    leaseExpired: Number(row.expired),
    longestExpiredMs: Math.max(0, Math.floor(Number(row.longest) / 1000)),
  }
}

/** A copy: the driver's Buffers are parts of larger ones. */
const bytes = (value: unknown): Uint8Array | null => (value instanceof Uint8Array ? new Uint8Array(value) : null)

/** A server without strict mode would cut off what is too long, and say nothing. */
export function requireShort(...names: readonly string[]): void {
  const longest = Math.max(...names.map((name) => Buffer.byteLength(name)))
  if (longest <= 255) return
  throw new StoreMisconfiguredError(`A key, owner or fingerprint has ${longest} bytes, and there is room for 255.`)
}
