/** The three operations through one session, each decided as `reduce` does. */
import {
  assertValueFits,
  type BeginReply,
  type Claim,
  type IdempotencyStore,
  reduce,
  type StoredRecord,
} from '@retryproof/core/store'
import { type Row, type Session, untilAnswered } from './driver.ts'
import { requireShort, toRecord } from './record.ts'
import { type Meetings, rowOf } from './returning.ts'
import { APPLIED, type Begin, type Statements } from './statements.ts'

export type Operations = Pick<IdempotencyStore, 'begin' | 'transition' | 'get'>

export interface Terms {
  readonly maxValueBytes: number
  readonly clockMs: () => number
  readonly meetings: Meetings
}

/** A record, and when it stood so, in µs of the store's clock. */
interface Found {
  readonly record: StoredRecord | null
  readonly at: number
}

/** The record of a row, and since when it stood so. Undefined: it expired while it was read, and only a later look can say when. */
export function foundIn(row: Row | undefined): Found | undefined {
  if (!row) return { record: null, at: 0 }
  const found = { record: toRecord(row), at: Number(row.held) }
  const { expiresAt } = found.record
  return expiresAt > Number(row.started) && expiresAt <= found.at ? undefined : found
}

/** The answer for a record that stays as it is; undefined where it changes, or where its values were not read. */
export function answerFrom(row: Row | undefined, claim: Claim): BeginReply | undefined {
  const found = row && foundIn(row)
  if (!found?.record) return undefined
  const { record, reply } = reduce(found.record, { op: 'begin', claim }, found.at)
  const isWhole =
    reply.outcome === 'settled' ? reply.state === 'parked' || reply.result !== null : reply.outcome !== 'acquired'
  return record === found.record && isWhole ? reply : undefined
}

/** The reply to the first attempt of a key. The lease counts from somewhere between sending (`sentMs`) and answer (`nowMs`). */
export function acquired(claim: Claim, token: number, sentMs: number, nowMs: number): BeginReply {
  return renewedSince(reduce(null, { op: 'begin', claim }, token).reply, claim, token, sentMs, nowMs)
}

function renewedSince(reply: BeginReply, claim: Claim, token: number, sentMs: number, nowMs: number): BeginReply {
  return { ...reply, token, leaseRemainingMs: Math.max(0, Math.ceil(claim.leaseMs - (nowMs - sentMs))) }
}

export function operations(
  { read, write, lock }: Session,
  statement: Statements,
  { maxValueBytes, clockMs, meetings }: Terms,
): Operations {
  const find = async (key: string, claim?: Claim): Promise<Found | undefined> =>
    foundIn((await read(statement.read(key, lock, claim)))[0])

  /** Inserts the first attempt of a key. The token is 0 where there is a record already, which may be known then. */
  async function insert(begin: Begin): Promise<{ token: number; met?: Row | undefined }> {
    if (!statement.insertReturning || !meetings.areUsual())
      return { token: Number((await write(statement.insert(begin))).insertId) }
    const [answer = {}] = await read(statement.insertReturning(begin), 'unknown')
    return { token: Number(answer.inserted), met: rowOf(answer.met) }
  }

  return {
    async begin(key, claim) {
      requireShort(key, claim.owner, claim.fingerprint)
      assertValueFits(maxValueBytes, claim)
      return untilAnswered(async () => {
        let sentMs = clockMs()
        const { token, met } = await insert({ key, claim })
        meetings.note(token === 0)
        if (token > 0) return acquired(claim, token, sentMs, clockMs())
        const known = answerFrom(met, claim)
        if (known) return known
        const found = await find(key, claim)
        if (!found?.record) return undefined
        const { record, reply } = reduce(found.record, { op: 'begin', claim }, found.at)
        if (record === null || record === found.record) return reply
        sentMs = clockMs()
        const next = Number((await write(statement.take(key, found.record, record, claim))).insertId)
        return next > 0 ? renewedSince(reply, claim, next, sentMs, clockMs()) : undefined
      })
    },

    async transition(key, token, change) {
      requireShort(key)
      assertValueFits(maxValueBytes, change)
      return untilAnswered(async () => {
        const met = Number((await write(statement.transition(key, token, change))).insertId)
        if (met > 0) return { outcome: 'ok', applied: met === APPLIED }
        const found = await find(key)
        if (!found) return undefined
        const { record, reply } = reduce(found.record, { op: 'transition', token, change }, found.at)
        return record === found.record ? reply : undefined
      })
    },

    get: (key) =>
      untilAnswered(async () => {
        const found = await find(key)
        return found && reduce(found.record, { op: 'get' }, found.at).reply
      }),
  }
}
