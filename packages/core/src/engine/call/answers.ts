/** Answers that run nothing: replays, refusals, and waiting for another attempt. */

import type { Outcome } from '../../api/call.ts'
import { after, type MaybePromise } from '../../base/maybe-promise.ts'
import { type Instant, msLeft } from '../../base/timers.ts'
import { decodeResult } from '../../encoding/result.ts'
import {
  type IdempotencyError,
  IdempotencyInProgressError,
  IdempotencyKeyReusedError,
  IdempotencyOutcomeUnknownError,
} from '../../errors.ts'
import type { RecordView } from '../../store/store.ts'
import type { Instance } from '../context/instance.ts'
import { attemptEventOf, eventOf, type PreparedCall } from '../context/prepared-call.ts'

/**
 * Returns the recorded value, or throws the recorded failure.
 *
 * @throws {@link IdempotencyNotReplayableError} when the value was not kept
 * @throws {@link IdempotencyOutcomeUnknownError} when the record is parked
 * @throws {@link IdempotencyUndecodableError} when the record cannot be read
 */
export function replay<T>(instance: Instance, prepared: PreparedCall, record: RecordView): MaybePromise<Outcome<T>> {
  if (record.state === 'parked') throw new IdempotencyOutcomeUnknownError()
  return after(decodeResult(instance.errorTypes, prepared, record), (recorded) => {
    instance.events.emit('replayed', () => attemptEventOf(instance, prepared, record))
    if ('error' in recorded) throw recorded.error
    const { attempt, retentionRemainingMs } = record
    return { value: recorded.value as T, replayed: true, recorded: true, attempt, retentionRemainingMs }
  })
}

/** Replays a settled record, and waits for an attempt that runs. Begins nothing: throws `refusal` instead. */
export async function replayOnly<T>(
  instance: Instance,
  prepared: PreparedCall,
  refusal: IdempotencyError,
  waitUntil: Instant | undefined,
): Promise<Outcome<T>> {
  let record = await instance.calls.get(prepared.key)
  if (record?.state === 'in_progress' && record.leaseRemainingMs > 0 && record.fingerprint === prepared.fingerprint)
    record = await waitOrRefuse(instance, prepared, record, msLeft(waitUntil))
  if (record && isSettled(record)) return replayIfSame(instance, prepared, record)
  throw refusal
}

export function replayIfSame<T>(
  instance: Instance,
  prepared: PreparedCall,
  record: RecordView,
): MaybePromise<Outcome<T>> {
  return record.fingerprint === prepared.fingerprint
    ? replay(instance, prepared, record)
    : refuseMismatch(instance, prepared)
}

/** @throws {@link IdempotencyKeyReusedError} always */
export function refuseMismatch(instance: Instance, prepared: PreparedCall): never {
  instance.events.emit('keyReused', () => eventOf(instance, prepared))
  throw new IdempotencyKeyReusedError()
}

/**
 * Waits until nobody holds the record, and returns it.
 *
 * @throws {@link IdempotencyInProgressError} when it is still held after `leftMs`
 */
export async function waitOrRefuse(
  instance: Instance,
  prepared: PreparedCall,
  held: RecordView,
  leftMs: number,
): Promise<RecordView | null> {
  const record = leftMs > 0 ? await instance.waiters.wait(prepared.key, leftMs, prepared.signal) : undefined
  if (record !== undefined) return record
  return refuseHeld(instance, prepared, held.leaseRemainingMs)
}

/** @throws {@link IdempotencyInProgressError} always */
export function refuseHeld(instance: Instance, prepared: PreparedCall, retryAfterMs: number): never {
  instance.events.emit('conflict', () => ({ retryAfterMs, ...eventOf(instance, prepared) }))
  throw new IdempotencyInProgressError(retryAfterMs)
}

export function isSettled({ state }: RecordView): boolean {
  return state === 'completed' || state === 'failed' || state === 'parked'
}
