/** Handles a lost lease: another attempt took the key over before this one could settle it. */

import type { Outcome } from '../../api/call.ts'
import type { Encoded } from '../../encoding/result.ts'
import { IdempotencyLeaseLostError } from '../../errors.ts'
import type { RecordView } from '../../store/store.ts'
import type { Instance } from '../context/instance.ts'
import type { OpenAttempt } from '../context/open-attempt.ts'
import { attemptEventOf, newClaim, type PreparedCall } from '../context/prepared-call.ts'
import { replay } from './answers.ts'
import { completed, recordedOutcome, unrecordedOutcome } from './outcomes.ts'

/** The result of an attempt whose key another one has. */
export type Own<T> =
  | ({ readonly kind: 'value' } & Encoded<T>)
  | { readonly kind: 'release'; readonly value: T }
  | { readonly kind: 'failure'; readonly error: unknown }

/**
 * Answers after a transition was `lost`. Never overrides: the winner's result stands where there is one. Throws the
 * winner's failure, or this attempt's own error.
 *
 * @throws {@link IdempotencyOutcomeUnknownError} when the winner parked the key
 * @throws {@link IdempotencyLeaseLostError} when the winner is not done after one lease
 */
export async function deferToWinner<T>(
  opened: OpenAttempt,
  own: Own<T>,
  current: RecordView | null,
): Promise<Outcome<T>> {
  const { instance, prepared } = opened
  opened.lost()
  let winner = await waitForWinner(opened, current)
  if (own.kind === 'value' && winner?.state === 'released' && winner.fingerprint === prepared.fingerprint) {
    const anew = await recordAfterRelease(instance, prepared, own)
    if ('recorded' in anew) return anew
    if ('reason' in anew) return returnUnrecorded(opened, own, anew.reason)
    winner = await waitForWinner(opened, anew.current)
  }
  if (!winner || winner.fingerprint !== prepared.fingerprint) return returnUnrecorded(opened, own, 'the record is gone')
  switch (winner.state) {
    case 'completed':
    case 'failed':
    case 'parked':
      return replay(instance, prepared, winner)
    case 'released':
      return returnUnrecorded(opened, own, 'the key was released')
    case 'in_progress':
      throw leaseLost(winner, own)
  }
}

/** Waits for the winner to settle, at most one lease: after that its lease has expired, and the next call takes over. */
async function waitForWinner(
  { instance, prepared }: OpenAttempt,
  winner: RecordView | null,
): Promise<RecordView | null> {
  if (winner?.state !== 'in_progress') return winner
  const timeoutMs = Math.max(winner.leaseRemainingMs, prepared.policies.leaseMs)
  const record = await instance.waiters.wait(prepared.key, timeoutMs)
  return record === undefined ? winner : record
}

function leaseLost<T>(winner: RecordView, own: Own<T>): IdempotencyLeaseLostError {
  const message = `Another attempt took this key over and is not done: ${describeState(winner)}. Retry with the same key.`
  return new IdempotencyLeaseLostError(message, own.kind === 'failure' ? { cause: own.error } : undefined)
}

/** Returns this attempt's own value, which no record holds, or throws its own error. */
export function returnUnrecorded<T>(opened: OpenAttempt, own: Own<T>, reason: string): Outcome<T> {
  const { instance, head } = opened
  if (own.kind === 'failure') throw own.error
  if (own.kind === 'value') instance.events.emit('unrecorded', () => ({ reason, ...opened.event }))
  return unrecordedOutcome(own.value, head.attempt)
}

/**
 * Records a value whose effect is done under a key that is free: acquires it once more, without running anything.
 * Returns the current record, or a reason, where that fails.
 */
export async function recordAfterRelease<T>(
  instance: Instance,
  prepared: PreparedCall,
  encoded: Encoded<T>,
): Promise<Outcome<T> | { readonly current: RecordView | null } | { readonly reason: string }> {
  const begunAt = performance.now()
  try {
    const { reply } = await instance.calls.begin(prepared.key, newClaim(prepared))
    if (reply.outcome !== 'acquired') return { current: reply }
    const change = completed(prepared, encoded)
    const { calls, settleTimeoutMs } = instance
    const settled = await calls.transitionWithin(settleTimeoutMs, prepared.key, reply.token, change)
    if (settled.outcome === 'lost') return settled
    const durationMs = performance.now() - begunAt
    const { replayable } = encoded
    instance.events.emit('completed', () => ({ ...attemptEventOf(instance, prepared, reply), replayable, durationMs }))
    return recordedOutcome(prepared, encoded.value, reply.attempt)
  } catch (error) {
    return { reason: String(error) }
  }
}

/** Describes the state of a record, for error messages. */
export function describeState(current: RecordView | null): string {
  return current ? `${current.state} (attempt ${current.attempt})` : 'gone'
}
