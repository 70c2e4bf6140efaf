/** Answering from a settled record. */

import type { Outcome } from '../../api/call.ts'
import { decodeResult } from '../../encoding/result.ts'
import { DrainingError, InProgressError, MismatchError, OutcomeUnknownError } from '../../errors.ts'
import type { RecordView } from '../../store/store.ts'
import type { Engine } from '../context/instance.ts'
import { attemptEventOf, eventOf, type Task } from '../context/prepared-call.ts'

/**
 * The recorded value.
 *
 * @throws the recorded failure, NotReplayableError, OutcomeUnknownError (parked), or UndecodableError
 */
export async function replay<T>(engine: Engine, task: Task, record: RecordView): Promise<Outcome<T>> {
  if (record.state === 'parked') throw new OutcomeUnknownError()
  const recorded = await decodeResult(engine, task, record)
  engine.events.emit('replayed', attemptEventOf(engine, task, record))
  if ('error' in recorded) throw recorded.error
  const { attempt, retentionRemainingMs } = record
  return { value: recorded.value as T, replayed: true, recorded: true, attempt, retentionRemainingMs }
}

/** What is settled; while shutting down, nothing new begins. */
export async function replayOnly<T>(engine: Engine, task: Task): Promise<Outcome<T>> {
  const record = await engine.calls.get(task.key)
  if (record && isSettled(record)) return replayIfSame(engine, task, record)
  throw new DrainingError()
}

export function replayIfSame<T>(engine: Engine, task: Task, record: RecordView): Promise<Outcome<T>> {
  return record.fingerprint === task.fingerprint ? replay(engine, task, record) : refuseMismatch(engine, task)
}

export async function refuseMismatch(engine: Engine, task: Task): Promise<never> {
  engine.events.emit('mismatch', eventOf(engine, task))
  throw new MismatchError()
}

/** The record once nobody holds it, after at most `leftMs`. */
export async function waitOrRefuse(
  engine: Engine,
  task: Task,
  held: RecordView,
  leftMs: number,
): Promise<RecordView | null> {
  const record = leftMs > 0 ? await engine.waiters.wait(task.key, leftMs, task.signal) : undefined
  if (record !== undefined) return record
  const retryAfterMs = held.leaseRemainingMs
  engine.events.emit('conflict', { ...eventOf(engine, task), retryAfterMs })
  throw new InProgressError(retryAfterMs)
}

export function isSettled({ state }: RecordView): boolean {
  return state === 'completed' || state === 'failed' || state === 'parked'
}
