/** Converts between rows and records. */
import type { RecordCount, StoredRecord } from '@retryproof/core/store'

/** The values of a row in the order of `columns`; integers are BigInts on a connection that was opened so. */
type Values = readonly [
  k: string,
  token: number | bigint,
  owner: string,
  fingerprint: string,
  state: StoredRecord['state'],
  attempt: number | bigint,
  interrupted: number | bigint,
  leaseUntil: number | bigint,
  expiresAt: number | bigint,
  checkpointSeq: number | bigint | null,
  request: Uint8Array | null,
  checkpoint: Uint8Array | null,
  result: Uint8Array | null,
]

/** `row`: an array or an object with every column, in the order of `columns`. */
export function toRecord(row: unknown): StoredRecord {
  const values = (Array.isArray(row) ? row : Object.values(Object(row))) as unknown as Values
  const [
    ,
    token,
    owner,
    fingerprint,
    state,
    attempt,
    interrupted,
    leaseUntil,
    expiresAt,
    seq,
    request,
    checkpoint,
    result,
  ] = values
  const data = bytes(checkpoint)
  return {
    state,
    token: Number(token),
    owner,
    fingerprint,
    attempt: Number(attempt),
    interrupted: Number(interrupted) === 1,
    leaseUntil: Number(leaseUntil),
    expiresAt: Number(expiresAt),
    request: bytes(request),
    checkpoint: data && { seq: Number(seq), data },
    result: bytes(result),
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
