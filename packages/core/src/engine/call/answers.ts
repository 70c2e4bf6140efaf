/** Answering from a settled record. */

import type { Outcome } from '../../api/call.ts'
import { decodeResult } from '../../encoding/result.ts'
import {
  IdempotencyDrainingError,
  IdempotencyInProgressError,
  IdempotencyKeyReusedError,
  IdempotencyOutcomeUnknownError,
} from '../../errors.ts'
import type { RecordView } from '../../store/store.ts'
import type { Instance } from '../context/instance.ts'
import { attemptEventOf, eventOf, type PreparedCall } from '../context/prepared-call.ts'

/**
 * The recorded value.
 *
 * @throws the recorded failure, IdempotencyNotReplayableError, IdempotencyOutcomeUnknownError (parked), or IdempotencyUndecodableError
 */
export async function replay<T>(instance: Instance, prepared: PreparedCall, record: RecordView): Promise<Outcome<T>> {
  if (record.state === 'parked') throw new IdempotencyOutcomeUnknownError()
  const recorded = await decodeResult(instance, prepared, record)
  instance.events.emit('replayed', attemptEventOf(instance, prepared, record))
  if ('error' in recorded) throw recorded.error
  const { attempt, retentionRemainingMs } = record
  return { value: recorded.value as T, replayed: true, recorded: true, attempt, retentionRemainingMs }
}

/** What is settled; while shutting down, nothing new begins. */
export async function replayOnly<T>(instance: Instance, prepared: PreparedCall): Promise<Outcome<T>> {
  const record = await instance.calls.get(prepared.key)
  if (record && isSettled(record)) return replayIfSame(instance, prepared, record)
  throw new IdempotencyDrainingError()
}

export function replayIfSame<T>(instance: Instance, prepared: PreparedCall, record: RecordView): Promise<Outcome<T>> {
  return record.fingerprint === prepared.fingerprint
    ? replay(instance, prepared, record)
    : refuseMismatch(instance, prepared)
}

export async function refuseMismatch(instance: Instance, prepared: PreparedCall): Promise<never> {
  instance.events.emit('keyReused', eventOf(instance, prepared))
  throw new IdempotencyKeyReusedError()
}

/** The record once nobody holds it, after at most `leftMs`. */
export async function waitOrRefuse(
  instance: Instance,
  prepared: PreparedCall,
  held: RecordView,
  leftMs: number,
): Promise<RecordView | null> {
  const record = leftMs > 0 ? await instance.waiters.wait(prepared.key, leftMs, prepared.signal) : undefined
  if (record !== undefined) return record
  const retryAfterMs = held.leaseRemainingMs
  instance.events.emit('conflict', { ...eventOf(instance, prepared), retryAfterMs })
  throw new IdempotencyInProgressError(retryAfterMs)
}

export function isSettled({ state }: RecordView): boolean {
  return state === 'completed' || state === 'failed' || state === 'parked'
}
