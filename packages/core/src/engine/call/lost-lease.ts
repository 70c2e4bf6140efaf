/** What a holder does that finds itself lost. */

import type { Outcome } from '../../api/call.ts'
import { instant, later } from '../../base/timers.ts'
import type { Encoded } from '../../encoding/result.ts'
import { IdempotencyLeaseLostError } from '../../errors.ts'
import type { BeginReply, RecordView } from '../../store/store.ts'
import type { Instance } from '../context/instance.ts'
import { attemptEventOf, newClaim, type PreparedCall, tellLeaseLost } from '../context/prepared-call.ts'
import { replay } from './answers.ts'

/** What an attempt came to. */
export type Own<T> =
  | ({ readonly kind: 'value' } & Encoded<T>)
  | { readonly kind: 'release'; readonly value: T }
  | { readonly kind: 'failure'; readonly error: unknown }

/** What events say of an attempt. */
type Told = Pick<RecordView, 'attempt' | 'token'>

/**
 * The holder's transition was `lost`. It never overrides: the winner's result stands where there is one.
 *
 * @throws the winner's failure, IdempotencyOutcomeUnknownError, IdempotencyLeaseLostError, or this attempt's own error
 */
export async function deferToWinner<T>(
  instance: Instance,
  prepared: PreparedCall,
  lost: BeginReply,
  own: Own<T>,
  current: RecordView | null,
): Promise<Outcome<T>> {
  tellLeaseLost(instance, prepared, lost)
  let winner = await waitForWinner(instance, prepared, current)
  if (own.kind === 'value' && winner?.state === 'released' && winner.fingerprint === prepared.fingerprint) {
    const anew = await recordAfterRelease(instance, prepared, own)
    if ('recorded' in anew) return anew
    if ('reason' in anew) return returnUnrecorded(instance, prepared, lost, own, anew.reason)
    winner = await waitForWinner(instance, prepared, anew.current)
  }
  if (!winner || winner.fingerprint !== prepared.fingerprint)
    return returnUnrecorded(instance, prepared, lost, own, 'the record is gone')
  switch (winner.state) {
    case 'completed':
    case 'failed':
    case 'parked':
      return replay(instance, prepared, winner)
    case 'released':
      return returnUnrecorded(instance, prepared, lost, own, 'the key was released')
    case 'in_progress':
      throw leaseLost(winner, own)
  }
}

/** One lease is what a winner that is not done may be silent; past it, whoever asks next takes over. */
async function waitForWinner(
  instance: Instance,
  prepared: PreparedCall,
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

/** This attempt's own answer, which no record says. */
export function returnUnrecorded<T>(
  instance: Instance,
  prepared: PreparedCall,
  lost: Told,
  own: Own<T>,
  reason: string,
): Outcome<T> {
  if (own.kind === 'failure') throw own.error
  if (own.kind === 'value') instance.events.emit('unrecorded', { ...attemptEventOf(instance, prepared, lost), reason })
  return { value: own.value, replayed: false, recorded: false, attempt: lost.attempt, retentionRemainingMs: 0 }
}

/** The key is free and the effect is done: acquires it once more, and records without running. Else: what stands there now. */
export async function recordAfterRelease<T>(
  instance: Instance,
  prepared: PreparedCall,
  { value, result, replayable }: Encoded<T>,
): Promise<Outcome<T> | { readonly current: RecordView | null } | { readonly reason: string }> {
  const begunAt = performance.now()
  try {
    const { reply } = await instance.calls.begin(prepared.key, newClaim(prepared))
    if (reply.outcome !== 'acquired') return { current: reply }
    const { retentionMs } = prepared.policies
    const change = { to: 'completed', result, retentionMs } as const
    const until = later(instant(), instance.settleTimeoutMs)
    const settled = await instance.calls.transitionUntil(until, prepared.key, reply.token, change)
    if (settled.outcome === 'lost') return settled
    const durationMs = performance.now() - begunAt
    instance.events.emit('completed', { ...attemptEventOf(instance, prepared, reply), replayable, durationMs })
    return { value, replayed: false, recorded: true, attempt: reply.attempt, retentionRemainingMs: retentionMs }
  } catch (error) {
    return { reason: String(error) }
  }
}

/** Describes the state of a record, for error messages. */
export function describeState(current: RecordView | null): string {
  return current ? `${current.state} (attempt ${current.attempt})` : 'gone'
}
