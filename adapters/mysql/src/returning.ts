/**
 * A `begin` that is answered in one round trip on MariaDB: the insertion returns the record that it met. It is one column,
 * since a driver and a server take longer for the descriptions of many than for their values.
 */
import type { Row } from './driver.ts'
import { type Sql, sql } from './sql.ts'

/** The number of fields before the bytes. */
const HEAD_FIELDS = 11
/** The head is shorter than this. */
const MAX_HEAD_BYTES = 256
/** The head, an owner and a fingerprint are shorter than this. */
const ROOM_BYTES = 1024

/**
 * The end of an insertion by `owner`. `inserted`: the token, or 0 where there is a record already: `met`. That the owner is
 * the same makes sure that no other one can take the key for its own, whatever a server makes of LAST_INSERT_ID. A server
 * joins no text that is longer than a packet, so `met` is NULL where the result nearly fills one.
 */
export const returning = (owner: string | Sql, started: Sql, held: Sql): Sql => {
  const isInserted = sql`token = LAST_INSERT_ID() AND owner = ${owner}`
  return sql`
RETURNING @@autocommit AND NOT @@in_transaction AS autocommit, IF(${isInserted}, token, 0) AS inserted,
  IF(${isInserted} OR LENGTH(result) > @@max_allowed_packet - ${ROOM_BYTES}, NULL, CONCAT_WS(' ',
  ${started}, ${held}, state, token, attempt, interrupted, lease_until, expires_at, IFNULL(checkpoint_seq, -1), LENGTH(owner), LENGTH(fingerprint),
  CONCAT_WS(${''}, owner, fingerprint, result))) AS met`
}

/** The row of a record that was returned. It has no request and no checkpoint. Undefined where none was returned. */
export function rowOf(met: unknown): Row | undefined {
  if (met === null) return undefined
  const bytes = met as Buffer
  const head = bytes.toString('latin1', 0, MAX_HEAD_BYTES).split(' ', HEAD_FIELDS)
  const [started, held, state, token, attempt, interrupted, lease_until, expires_at, seq, ...lengths] = head
  const [ownerBytes = 0, fingerprintBytes = 0] = lengths.map(Number)
  const ownerAt = head.join(' ').length + 1
  const fingerprintAt = ownerAt + ownerBytes
  const resultAt = fingerprintAt + fingerprintBytes
  return {
    started,
    held,
    state,
    token,
    attempt,
    interrupted,
    lease_until,
    expires_at,
    checkpoint_seq: seq === '-1' ? null : seq,
    owner: bytes.toString('utf8', ownerAt, fingerprintAt),
    fingerprint: bytes.toString('utf8', fingerprintAt, resultAt),
    result: state === 'completed' || state === 'failed' ? bytes.subarray(resultAt) : null,
  }
}

/** The share of new keys below which a `begin` asks for the record that it meets: for a new key that takes a third more CPU. */
const MET_SHARE = 1 / 3
const REMEMBERED_BEGINS = 8

/** Tells whether begins met a record lately. */
export interface Meetings {
  areUsual(): boolean
  note(met: boolean): void
}

export function createMeetings(): Meetings {
  let share = 0
  return {
    areUsual: () => share > MET_SHARE,
    note(met) {
      share += (Number(met) - share) / REMEMBERED_BEGINS
    },
  }
}
