/** Answering from a settled record. */
import { attemptEventOf, type Engine, type Task } from './engine.ts'
import { NotReplayableError, OutcomeUnknownError, type StoredFailure, UndecodableError } from './errors.ts'
import { fromStoredFailure } from './failures.ts'
import type { RecordView } from './store.ts'
import type { Outcome } from './types.ts'

/** What stands in a record instead of a value that could not be kept. */
export interface Omission {
  readonly reason: string
  readonly summary?: unknown
}

/**
 * The recorded value.
 *
 * @throws the recorded failure, NotReplayableError, OutcomeUnknownError (parked), or UndecodableError
 */
export async function replay<T>(engine: Engine, task: Task, record: RecordView): Promise<Outcome<T>> {
  if (record.state === 'parked') throw new OutcomeUnknownError()
  const recorded = await decode(engine, task, record)
  engine.events.emit('replayed', attemptEventOf(engine, task, record))
  if ('error' in recorded) throw recorded.error
  return { value: recorded.value as T, replayed: true, recorded: true, attempt: record.attempt }
}

/** What a completed or failed record says: its value, or the error that it is thrown as. */
export async function decode(
  engine: Pick<Engine, 'errorTypes'>,
  { pipeline, key }: Pick<Task, 'pipeline' | 'key'>,
  record: RecordView,
): Promise<{ readonly value: unknown } | { readonly error: unknown }> {
  if (!record.result) throw new UndecodableError(`A ${record.state} record has no result.`)
  const { kind, value } = await pipeline.decode(record.result, { key, fingerprint: record.fingerprint })
  if ((kind === 'failure') !== (record.state === 'failed')) {
    throw new UndecodableError(`A ${record.state} record holds a ${kind}.`)
  }
  if (kind === 'value') return { value }
  if (kind === 'failure')
    return { error: fromStoredFailure(requireShape<StoredFailure>(value, 'message'), engine.errorTypes) }
  const { reason, summary } = requireShape<Omission>(value, 'reason')
  return { error: new NotReplayableError(reason, summary) }
}

function requireShape<Shape>(value: unknown, member: keyof Shape & string): Shape {
  if (typeof value === 'object' && value !== null && Object.hasOwn(value, member)) return value as Shape
  throw new UndecodableError(`A record holds something else than a ${member}.`)
}
