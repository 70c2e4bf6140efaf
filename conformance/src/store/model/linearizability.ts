import { AssertionError } from 'node:assert'
import { type Change, type Command, reduce, type StoredRecord } from '@retryproof/core/store'
import type { Reply } from './command.ts'
import type { History, HistoryEntry } from './history.ts'
import { DRIFT_MS, match } from './match-reply.ts'
import { describeCommand, inOneLine, readable } from './readable.ts'

/**
 * Throws unless the calls can be put in one order, each between its call and its return, in which `reduce` gives every
 * client the answer that it got (the search of Wing and Gong, which remembers where it has been). Calls of unknown
 * outcome may take effect at any time after they were sent, or never.
 *
 * Durations in the history must be 0 or longer than the history lasted: then the clock of the store, which nobody sees,
 * decides nothing, as long as it never runs backwards. Nobody uses a token that no reply has shown.
 *
 * @throws AssertionError with the calls, and how far an explanation gets.
 */
export function checkHistory(history: History): void {
  const lastedMs = Math.max(0, ...history.map((entry) => entry.elapsedMs))
  for (const key of new Set(history.map((entry) => entry.key))) {
    const calls = history.filter((entry) => entry.key === key)
    for (const { command } of calls) assertTimeless(command, lastedMs)
    checkKey(calls)
  }
}

/** The model at one point of an order: its tokens are numbered from 1, and `tokens` says which real ones they are. */
interface Point {
  readonly record: StoredRecord | null
  /** The real token of each acquisition, 0 while no reply has shown it. */
  readonly tokens: readonly number[]
}

function checkKey(calls: History): void {
  const visited = new Set<string>()
  // two calls of a history that was written by hand may begin at one event
  const places = new Map(calls.map((entry, place) => [entry, place]))
  const identify = identities()
  let furthest: { order: readonly HistoryEntry[]; point: Point } = { order: [], point: { record: null, tokens: [] } }

  function explain(remaining: readonly HistoryEntry[], point: Point, order: readonly HistoryEntry[]): boolean {
    const firstReturn = Math.min(...remaining.map((entry) => entry.returned ?? Number.POSITIVE_INFINITY))
    if (firstReturn === Number.POSITIVE_INFINITY) return true // the rest need not have happened
    const here = identify(point)
    const place = `${remaining.map((entry) => places.get(entry)).join()}|${here}`
    if (visited.has(place)) return false
    visited.add(place)
    if (order.length > furthest.order.length) furthest = { order, point }
    if (remaining.some((entry) => isTooLate(entry, point))) return false

    const next: { entry: HistoryEntry; point: Point }[] = []
    for (const entry of remaining) {
      if (entry.called > firstReturn) continue
      const after = apply(entry, point)
      if (after === null) continue
      if (identify(after) !== here || mayChangeLater(entry)) next.push({ entry, point: after })
      // one that fits here, and changes nothing wherever it fits, can only be in the way later
      else if (entry.returned !== null) return explain(without(remaining, entry), point, [...order, entry])
    }
    next.sort((a, b) => (a.entry.returned ?? Number.MAX_VALUE) - (b.entry.returned ?? Number.MAX_VALUE))
    return next.some(({ entry, point }) => explain(without(remaining, entry), point, [...order, entry]))
  }

  if (!explain(calls, furthest.point, [])) throw unexplained(calls, furthest)
}

/**
 * A renewal that asks for a retention, and lengthens nothing here, may lengthen something behind another one, and is
 * answered the same. Without a retention it cannot: lease, expiry and checkpoint only grow while the token lasts.
 */
function mayChangeLater({ command }: HistoryEntry): boolean {
  return command.op === 'transition' && command.change.to === 'renew' && Boolean(command.change.retentionMs)
}

/**
 * Tells that a call that took effect has no place any more from here on: tokens only rise, and so does a checkpoint while its token lasts.
 * Many checkpoints at once have no other order than that of their numbers, which would else be searched for by trying.
 */
function isTooLate({ command, returned, reply }: HistoryEntry, { record, tokens }: Point): boolean {
  if (!record || returned === null || command.op !== 'transition') return false
  if (!reply || !('outcome' in reply) || reply.outcome !== 'ok') return false
  const token = tokens.indexOf(command.token) + 1
  if (token === 0 || token > record.token) return false
  if (token < record.token) return true
  const { change } = command
  const seq = change.to === 'renew' && reply.applied ? change.checkpoint?.seq : undefined
  return seq !== undefined && record.checkpoint !== null && seq <= record.checkpoint.seq
}

function without(entries: readonly HistoryEntry[], entry: HistoryEntry): readonly HistoryEntry[] {
  return entries.filter((other) => other !== entry)
}

/** The point after a call, or null where the model would have answered otherwise. */
function apply(entry: HistoryEntry, { record, tokens }: Point): Point | null {
  const command = withModelToken(entry.command, tokens)
  const { record: after, reply } = reduceAtZero(record, command)
  const known = after && after.token > tokens.length ? [...tokens, 0] : tokens
  if (entry.returned === null) return { record: after, tokens: known }
  const bound = match(reply, entry.reply, known, entry.elapsedMs)
  return bound && { record: after, tokens: bound }
}

function withModelToken(command: Command, tokens: readonly number[]): Command {
  if (command.op !== 'transition') return command
  const index = tokens.indexOf(command.token)
  return { ...command, token: index === -1 ? Number.NaN : index + 1 }
}

/** At time 0 a token is the one before it plus 1, and a duration of 0 is over at once, as it is by any clock. */
function reduceAtZero(record: StoredRecord | null, command: Command): { record: StoredRecord | null; reply: Reply } {
  if (command.op === 'begin') return reduce(record, command, 0)
  if (command.op === 'transition') return reduce(record, command, 0)
  return reduce(record, command, 0)
}

/** Gives equal points equal names. Bytes are compared by identity: the model only hands on what commands brought. */
function identities(): (point: Point) => string {
  const bytes = new Map<Uint8Array, number>()
  const identify = (value: Uint8Array): number => {
    const known = bytes.get(value) ?? bytes.size
    bytes.set(value, known)
    return known
  }
  return (point) => JSON.stringify(point, (_, value) => (value instanceof Uint8Array ? identify(value) : value))
}

function assertTimeless(command: Command, lastedMs: number): void {
  const input: Partial<Record<keyof (Change & { leaseMs: 0; retentionMs: 0 }), unknown>> =
    command.op === 'begin' ? command.claim : command.op === 'transition' ? command.change : {}
  for (const [name, value] of Object.entries(input)) {
    if (name.endsWith('Ms') && value !== 0 && Number(value) <= lastedMs + DRIFT_MS) {
      throw new RangeError(`${name} must be 0 or longer than the history (${lastedMs} ms), and is ${String(value)}`)
    }
  }
}

function unexplained(
  calls: History,
  { order, point }: { order: readonly HistoryEntry[]; point: Point },
): AssertionError {
  const line = (entry: HistoryEntry) =>
    `  ${entry.called}-${entry.returned ?? '?'} client ${entry.client}: ${describeCommand(entry.command)} -> ` +
    (entry.returned === null ? 'unknown' : inOneLine(readable(entry.reply)))
  return new AssertionError({
    message: [
      'no order of these calls gives the answers that were given (events from-to):',
      ...calls.map(line),
      `the longest order that could be explained has ${order.length} of ${calls.length} calls:`,
      ...order.map(line),
      `where the record is ${inOneLine(point.record)}, its tokens being ${point.tokens.join(', ') || 'none'}`,
    ].join('\n'),
  })
}
