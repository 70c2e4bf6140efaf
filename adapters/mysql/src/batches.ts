/** Calls that share statements and a commit: what is common is answered, the rest is left to calls of their own. */
import { createLanes } from '@retryproof/core/internal'
import {
  type BeginReply,
  type Change,
  reduce,
  StoreUnavailableError,
  type TransitionReply,
} from '@retryproof/core/store'
import { NOTHING, type Row, type Session } from './driver.ts'
import { isRefused } from './errors.ts'
import { acquired, answerFrom, foundIn, type Operations, type Terms } from './operations.ts'
import type { Begin, Settle, Statements } from './statements.ts'

/** Runs work on a connection of its own, whose session tells what the server refused, and stays open then. */
type OnConnection = <T>(work: (session: Session, statement: Statements) => Promise<T>) => Promise<T>

/** Bytes of a call beside its values. */
const OVERHEAD = 512

/** Returns the operations, of which concurrent calls share statements. */
export function batched(
  { begin, transition, get }: Operations,
  onConnection: OnConnection,
  timeoutMs: number,
  terms: Terms,
): Operations {
  const sendBegin = createLanes<Begin, BeginReply>({
    one: ({ key, claim }) => begin(key, claim),
    many: (calls) => onConnection((session, statement) => beginMany(session, statement, calls, terms)),
    isRefused,
    sizeOf: ({ claim }) => OVERHEAD + (claim.request?.length ?? 0),
    timeoutMs,
  })
  const sendSettle = createLanes<Settle, TransitionReply>({
    one: ({ key, token, change }) => transition(key, token, change),
    many: (calls) => onConnection((session, statement) => settleMany(session, statement, calls)),
    isRefused,
    sizeOf: ({ change }) => OVERHEAD + change.result.length,
    timeoutMs,
  })
  return {
    begin: (key, claim) => sendBegin({ key, claim }),
    transition: (key, token, change) =>
      change.to === 'completed' || change.to === 'failed'
        ? sendSettle({ key, token, change })
        : transition(key, token, change),
    get,
  }
}

/**
 * Answers for records that need no write, and inserts the first call of each key that has none. Records are read first where
 * begins have met some lately, else when the probe has found them.
 */
async function beginMany(
  { read, write }: Session,
  statement: Statements,
  calls: readonly Begin[],
  { clockMs, meetings }: Terms,
): Promise<(BeginReply | undefined)[]> {
  const rows = byKey(meetings.areUsual() ? await read(statement.readMany(keysOf(calls))) : [])
  const isFresh = ({ key }: Begin) => !rows.has(key)
  let fresh = firstOfEach(calls.filter(isFresh))
  if (fresh.length > 0) {
    // a key that somebody inserts in an open transaction would hold up all others: the probe is refused
    const met = await read(statement.probe(keysOf(fresh)))
    const found = met.length > 0 ? await read(statement.readMany(met.map(({ k }) => String(k)))) : []
    for (const [key, row] of byKey(found)) rows.set(key, row)
    fresh = fresh.filter(isFresh)
  }
  const inserted = new Set(fresh)
  for (const call of calls) meetings.note(!inserted.has(call))
  const replies = calls.map(({ key, claim }) => answerFrom(rows.get(key), claim))
  if (fresh.length === 0) {
    // what a session reads in a transaction that somebody left open may be out of date
    await write(NOTHING)
    return replies
  }
  const sentMs = clockMs()
  const token = Number((await write(statement.insertMany(fresh))).insertId)
  const nowMs = clockMs()
  return calls.map((call, index) => (inserted.has(call) ? acquired(call.claim, token, sentMs, nowMs) : replies[index]))
}

/** Settles the attempts that hold their keys. */
async function settleMany(
  { read, write }: Session,
  statement: Statements,
  calls: readonly Settle[],
): Promise<(TransitionReply | undefined)[]> {
  const distinct = firstOfEach(calls)
  // refused where somebody's transaction holds one of the records
  const rows = byKey(await read(statement.probe(keysOf(distinct))))
  const held = new Set(distinct.filter(({ key, token, change }) => isHeldBy(rows.get(key), token, change)))
  const settled = held.size > 0 ? await write(statement.settleMany([...held])) : undefined
  if (settled && Number(settled.affectedRows) !== held.size)
    throw new StoreUnavailableError('Another writer changed a record of the batch, and nobody knows which.', {
      applied: 'unknown',
    })
  return calls.map((call) => (held.has(call) ? { outcome: 'ok', applied: true } : undefined))
}

function isHeldBy(row: Row | undefined, token: number, change: Change): boolean {
  const found = row && foundIn(row)
  if (!found?.record || found.record.token !== token) return false
  const { reply } = reduce(found.record, { op: 'transition', token, change }, found.at)
  return reply.outcome === 'ok' && reply.applied
}

const keysOf = (calls: readonly { readonly key: string }[]): string[] => calls.map(({ key }) => key)

const byKey = (rows: readonly Row[]): Map<string, Row> => new Map(rows.map((row) => [String(row.k), row]))

/** The first call of each key, in the order of keys: two batches then do not wait for each other. */
function firstOfEach<Call extends { readonly key: string }>(calls: readonly Call[]): Call[] {
  const first = new Map<string, Call>()
  for (const call of calls) if (!first.has(call.key)) first.set(call.key, call)
  return [...first.values()].sort((one, other) => (one.key < other.key ? -1 : 1))
}
