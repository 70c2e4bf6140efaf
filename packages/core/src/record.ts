/** Recording what an attempt came to, and what a holder does that finds itself lost. */
import { attemptEventOf, type Engine, newClaim, type Task, tellLeaseLost } from './engine.ts'
import { describeState, LeaseLostError } from './errors.ts'
import { type ErrorType, toStoredFailure } from './failures.ts'
import { chain, type MaybePromise } from './maybe-promise.ts'
import { Unreplayable } from './outcome.ts'
import { type Omission, replay } from './replay.ts'
import type { BeginReply, RecordView } from './store.ts'
import { instant, later } from './timers.ts'
import type { Outcome } from './types.ts'

/** What an attempt came to. */
export type Own<T> =
  | { readonly kind: 'value'; readonly value: T; readonly result: Uint8Array }
  | { readonly kind: 'handBack'; readonly value: T }
  | { readonly kind: 'failure'; readonly error: unknown }

/** A value as a replay gives it, and the bytes that are recorded of it. */
export interface Encoded<T> {
  readonly value: T
  readonly result: Uint8Array
  readonly replayable: boolean
}

/** What a handler returned as it is recorded. */
export function encodeReturned<T>(engine: Engine, task: Task, returned: T | Unreplayable<T>): MaybePromise<Encoded<T>> {
  if (!(returned instanceof Unreplayable)) return encodeValue(engine, task, returned)
  return encodeOmission(task, returned.value, { reason: 'unreplayable', summary: returned.summary })
}

/** The bytes of a value and the value as a replay gives it; where it cannot be kept, why. */
function encodeValue<T>(engine: Engine, task: Task, value: T): MaybePromise<Encoded<T>> {
  const { maxValueBytes } = engine.store.capabilities
  let plain: Uint8Array
  let seen: T
  try {
    const { serializer } = task.policies
    plain = serializer.serialize(value)
    seen = serializer.deserialize(plain) as T
  } catch {
    return encodeOmission(task, value, { reason: 'not serialisable' })
  }
  return chain(task.pipeline.encodeValue(plain, task), (result) =>
    result.length > maxValueBytes
      ? encodeOmission(task, value, { reason: 'too large' })
      : { value: seen, result, replayable: true },
  )
}

/** The bytes that say: completed, but without the value. */
function encodeOmission<T>(task: Task, value: T, omission: Omission): MaybePromise<Encoded<T>> {
  const { reason, summary } = omission
  const kept: Omission = isJson(summary) ? { reason, summary } : { reason }
  return chain(task.pipeline.encodeJson('unreplayable', kept, task), (result) => ({ value, result, replayable: false }))
}

function isJson(value: unknown): boolean {
  try {
    return JSON.stringify(value) !== undefined
  } catch {
    return false
  }
}

/** The bytes of a failure; what its class cannot tell is left out rather than lost altogether. */
export function encodeFailure(
  { pipeline, ...task }: Task,
  error: unknown,
  types: readonly ErrorType[],
): Promise<Uint8Array> {
  const encode = async (known: readonly ErrorType[]) =>
    pipeline.encodeJson('failure', toStoredFailure(error, known), task)
  return encode(types).catch(() => encode([]))
}

/**
 * The holder's transition was `lost`. It never overrides: the winner's result stands where there is one.
 *
 * @throws the winner's failure, OutcomeUnknownError, LeaseLostError, or this attempt's own error
 */
export async function yieldToWinner<T>(
  engine: Engine,
  task: Task,
  lost: BeginReply,
  own: Own<T>,
  current: RecordView | null,
): Promise<Outcome<T>> {
  tellLeaseLost(engine, task, lost)
  const winner = current?.state === 'in_progress' ? await waitForWinner(engine, task, current) : current
  if (!winner || winner.fingerprint !== task.fingerprint) return giveOwn(engine, task, lost, own, 'the record is gone')
  switch (winner.state) {
    case 'completed':
    case 'failed':
    case 'parked':
      return replay(engine, task, winner)
    case 'released':
      return own.kind === 'value'
        ? recordAnew(engine, task, lost, own)
        : giveOwn(engine, task, lost, own, 'the key was released')
    case 'in_progress':
      throw leaseLost(winner, own)
  }
}

/** One lease is what the winner may be silent; past it, whoever asks next takes over. */
async function waitForWinner(engine: Engine, task: Task, winner: RecordView): Promise<RecordView | null> {
  const timeoutMs = Math.max(winner.leaseRemainingMs, task.policies.leaseMs)
  const record = await engine.waiters.wait(task.key, timeoutMs)
  return record === undefined ? winner : record
}

function leaseLost<T>(winner: RecordView, own: Own<T>): LeaseLostError {
  const message = `Another attempt took this key over and is not done: ${describeState(winner)}. Retry with the same key.`
  return new LeaseLostError(message, own.kind === 'failure' ? { cause: own.error } : undefined)
}

/** This attempt's own answer, which no record says. */
export function giveOwn<T>(engine: Engine, task: Task, lost: BeginReply, own: Own<T>, reason: string): Outcome<T> {
  if (own.kind === 'failure') throw own.error
  if (own.kind === 'value') engine.events.emit('unrecorded', { ...attemptEventOf(engine, task, lost), reason })
  return { value: own.value, replayed: false, recorded: false, attempt: lost.attempt }
}

/** The key is free and the effect is done: acquire it once more, and record without running. */
async function recordAnew<T>(
  engine: Engine,
  task: Task,
  lost: BeginReply,
  own: Extract<Own<T>, { kind: 'value' }>,
): Promise<Outcome<T>> {
  try {
    const { reply } = await engine.calls.begin(task.key, newClaim(task))
    if (reply.outcome === 'settled') return replay(engine, task, reply)
    if (reply.outcome !== 'acquired') return giveOwn(engine, task, reply, own, 'another attempt holds the key')
    const change = { to: 'completed', result: own.result, retentionMs: task.policies.retentionMs } as const
    const until = later(instant(), engine.settleTimeoutMs)
    const settled = await engine.calls.transitionUntil(until, task.key, reply.token, change)
    if (settled.outcome === 'lost') return giveOwn(engine, task, reply, own, 'the key was lost again')
    return { value: own.value, replayed: false, recorded: true, attempt: reply.attempt }
  } catch (error) {
    return giveOwn(engine, task, lost, own, String(error))
  }
}
