/** Answering from a settled record. */
import { attemptEventOf, type Engine, type Task } from './engine.ts'
import { OutcomeUnknownError } from './errors.ts'
import { decodeResult } from './results.ts'
import type { RecordView } from './store.ts'
import type { Outcome } from './types.ts'

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
