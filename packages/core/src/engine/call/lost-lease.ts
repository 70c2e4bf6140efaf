/** What a holder does that finds itself lost. */

import type { Outcome } from '../../api/call.ts'
import { instant, later } from '../../base/timers.ts'
import type { Encoded } from '../../encoding/result.ts'
import { LeaseLostError } from '../../errors.ts'
import type { BeginReply, RecordView } from '../../store/store.ts'
import type { Engine } from '../context/instance.ts'
import { attemptEventOf, newClaim, type Task, tellLeaseLost } from '../context/prepared-call.ts'
import { replay } from './answers.ts'
import { describeState } from './describe-state.ts'

/** What an attempt came to. */
export type Own<T> =
  | ({ readonly kind: 'value' } & Encoded<T>)
  | { readonly kind: 'handBack'; readonly value: T }
  | { readonly kind: 'failure'; readonly error: unknown }

/** What events say of an attempt. */
type Told = Pick<RecordView, 'attempt' | 'token'>

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
  let winner = await waitForWinner(engine, task, current)
  if (own.kind === 'value' && winner?.state === 'released' && winner.fingerprint === task.fingerprint) {
    const anew = await recordAnew(engine, task, own)
    if ('recorded' in anew) return anew
    if ('reason' in anew) return giveOwn(engine, task, lost, own, anew.reason)
    winner = await waitForWinner(engine, task, anew.current)
  }
  if (!winner || winner.fingerprint !== task.fingerprint) return giveOwn(engine, task, lost, own, 'the record is gone')
  switch (winner.state) {
    case 'completed':
    case 'failed':
    case 'parked':
      return replay(engine, task, winner)
    case 'released':
      return giveOwn(engine, task, lost, own, 'the key was released')
    case 'in_progress':
      throw leaseLost(winner, own)
  }
}

/** One lease is what a winner that is not done may be silent; past it, whoever asks next takes over. */
async function waitForWinner(engine: Engine, task: Task, winner: RecordView | null): Promise<RecordView | null> {
  if (winner?.state !== 'in_progress') return winner
  const timeoutMs = Math.max(winner.leaseRemainingMs, task.policies.leaseMs)
  const record = await engine.waiters.wait(task.key, timeoutMs)
  return record === undefined ? winner : record
}

function leaseLost<T>(winner: RecordView, own: Own<T>): LeaseLostError {
  const message = `Another attempt took this key over and is not done: ${describeState(winner)}. Retry with the same key.`
  return new LeaseLostError(message, own.kind === 'failure' ? { cause: own.error } : undefined)
}

/** This attempt's own answer, which no record says. */
export function giveOwn<T>(engine: Engine, task: Task, lost: Told, own: Own<T>, reason: string): Outcome<T> {
  if (own.kind === 'failure') throw own.error
  if (own.kind === 'value') engine.events.emit('unrecorded', { ...attemptEventOf(engine, task, lost), reason })
  return { value: own.value, replayed: false, recorded: false, attempt: lost.attempt, retentionRemainingMs: 0 }
}

/** The key is free and the effect is done: acquires it once more, and records without running. Else: what stands there now. */
export async function recordAnew<T>(
  engine: Engine,
  task: Task,
  { value, result, replayable }: Encoded<T>,
): Promise<Outcome<T> | { readonly current: RecordView | null } | { readonly reason: string }> {
  const begunAt = performance.now()
  try {
    const { reply } = await engine.calls.begin(task.key, newClaim(task))
    if (reply.outcome !== 'acquired') return { current: reply }
    const { retentionMs } = task.policies
    const change = { to: 'completed', result, retentionMs } as const
    const until = later(instant(), engine.settleTimeoutMs)
    const settled = await engine.calls.transitionUntil(until, task.key, reply.token, change)
    if (settled.outcome === 'lost') return settled
    const durationMs = performance.now() - begunAt
    engine.events.emit('completed', { ...attemptEventOf(engine, task, reply), replayable, durationMs })
    return { value, replayed: false, recorded: true, attempt: reply.attempt, retentionRemainingMs: retentionMs }
  } catch (error) {
    return { reason: String(error) }
  }
}
