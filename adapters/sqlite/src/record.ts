/** Converts between rows and records. */
import type { RecordCount, StoredRecord } from '@retryproof/core/store'
import type { columns } from './schema.ts'

/** A row; integers are BigInts on a connection that was opened so. */
export type Row = {
  readonly [Column in keyof typeof columns]: (typeof columns)[Column] extends `TEXT${string}`
    ? string
    : (typeof columns)[Column] extends `INTEGER${string}`
      ? number | bigint
      : Uint8Array | null
}

export function toRecord(row: Row): StoredRecord {
  const data = bytes(row.checkpoint)
  return {
    state: row.state as StoredRecord['state'],
    token: Number(row.token),
    owner: row.owner,
    fingerprint: row.fingerprint,
    attempt: Number(row.attempt),
    interrupted: Number(row.interrupted) === 1,
    leaseUntil: Number(row.lease_until),
    expiresAt: Number(row.expires_at),
    request: bytes(row.request),
    checkpoint: data && { seq: Number(row.checkpoint_seq), data },
    result: bytes(row.result),
  }
}

/** A row of counts; the clock that a driver bound as a fraction leaves one in the time. */
export type CountRow = {
  readonly [Column in keyof RecordCount]: RecordCount[Column] extends string ? RecordCount[Column] : number | bigint
}

export function toCount({ operation, state, records, leaseExpired, longestExpiredMs }: CountRow): RecordCount {
  return {
    operation,
    state,
    records: Number(records),
    leaseExpired: Number(leaseExpired),
    longestExpiredMs: Math.floor(Number(longestExpiredMs)),
  }
}

/** A driver's Buffer as the plain bytes that the port speaks of. */
function bytes(value: Uint8Array | null): Uint8Array | null {
  return value && new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
}
