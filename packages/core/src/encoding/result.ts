/** What is recorded of a result, and the result again. */

import { Unreplayable } from '../api/handler-results.ts'
import type { ReferenceGuarantee } from '../api/policies.ts'
import { equal } from '../base/bytes.ts'
import { chain, type MaybePromise } from '../base/maybe-promise.ts'
import type { Engine } from '../engine/context/instance.ts'
import type { Task } from '../engine/context/prepared-call.ts'
import { NotReplayableError, type StoredFailure, UndecodableError } from '../errors.ts'
import type { RecordView } from '../store/store.ts'
import { createPipeline } from './envelope.ts'
import { fromStoredFailure, toStoredFailure } from './failure.ts'
import { json } from './json.ts'

/** What stands in a record instead of a value that could not be kept. */
export interface Omission {
  readonly reason: string
  readonly summary?: unknown
}

/** A value as a replay gives it, and the bytes that are recorded of it. */
export interface Encoded<T> {
  readonly value: T
  readonly result: Uint8Array
  readonly replayable: boolean
}

/** What a handler returned as it is recorded. */
export function encodeReturned<T>(engine: Engine, task: Task, returned: T | Unreplayable<T>): MaybePromise<Encoded<T>> {
  if (!(returned instanceof Unreplayable)) return encodeValue(engine, task, returned)
  return encodeOmission(engine, task, returned.value, { reason: 'unreplayable', summary: returned.summary })
}

/** The envelopes that are left where a codec fails: always the same bytes, so that nothing can be hidden in them. */
const withoutCodecs = createPipeline(json(), [])
const leftover = (kind: 'unreplayable' | 'failure', value: Omission | StoredFailure) =>
  // without codecs there is nothing to wait for
  withoutCodecs.encodeJson(kind, value, { key: '', fingerprint: '' }) as Uint8Array
const NOT_ENCODABLE = leftover('unreplayable', { reason: 'not encodable' })
const UNTOLD = leftover('failure', {
  name: 'Error',
  message: 'The operation failed; what with could not be recorded.',
})

/** The same where the effect is done and cannot be undone: should a codec fail, at least that much is recorded. */
export async function encodeDone<T>(engine: Engine, task: Task, returned: T | Unreplayable<T>): Promise<Encoded<T>> {
  try {
    return await encodeReturned(engine, task, returned)
  } catch {
    const value = returned instanceof Unreplayable ? returned.value : returned
    return { value, result: NOT_ENCODABLE, replayable: false }
  }
}

/** What the guarantee keeps of a value; where it cannot be kept, why. */
function encodeValue<T>(engine: Engine, task: Task, value: T): MaybePromise<Encoded<T>> {
  const { guarantee } = task.policies
  if (guarantee === 'strict') return encodeStrictly(engine, task, value)
  if (guarantee === 'semantic') return kept(value, task.pipeline.encodeJson('done', null, task))
  return encodeReference(engine, task, value, guarantee)
}

function kept<T>(value: T, bytes: MaybePromise<Uint8Array>): MaybePromise<Encoded<T>> {
  return chain(bytes, (result) => ({ value, result, replayable: true }))
}

/** A reference that cannot be kept is no reason to run again: the effect is done. */
function encodeReference<T>(
  engine: Engine,
  task: Task,
  value: T,
  { reference }: ReferenceGuarantee,
): MaybePromise<Encoded<T>> {
  try {
    const encoded = kept(value, task.pipeline.encodeJson('reference', reference(value), task))
    return withinLimit(engine, task, encoded)
  } catch {
    return encodeOmission(engine, task, value, { reason: 'not serialisable' })
  }
}

/** The bytes of a value, and the value as a replay gives it: the first caller gets it through the serializer too. */
function encodeStrictly<T>(engine: Engine, task: Task, value: T): MaybePromise<Encoded<T>> {
  let plain: Uint8Array
  let seen: T
  try {
    const { serializer } = task.policies
    plain = serializer.serialize(value)
    seen = serializer.exact ? value : (serializer.deserialize(plain) as T)
  } catch {
    return encodeOmission(engine, task, value, { reason: 'not serialisable' })
  }
  return withinLimit(engine, task, kept(seen, task.pipeline.encodeValue(plain, task)))
}

function withinLimit<T>(engine: Engine, task: Task, encoding: MaybePromise<Encoded<T>>): MaybePromise<Encoded<T>> {
  return chain(encoding, (encoded) => {
    if (fits(engine, encoded.result)) return encoded
    const summary = summaryOf(task, encoded.value)
    return encodeOmission(engine, task, encoded.value, { reason: 'too large', summary })
  })
}

function summaryOf({ policies: { serializer } }: Task, value: unknown): unknown {
  try {
    return serializer.summarize?.(value)
  } catch {
    // the effect is done, whether or not it can be summed up
    return undefined
  }
}

function fits({ store }: Engine, bytes: Uint8Array): boolean {
  return bytes.length <= store.capabilities.maxValueBytes
}

/** The bytes that say: completed, but without the value; and without its summary where that cannot be kept either. */
function encodeOmission<T>(engine: Engine, task: Task, value: T, omission: Omission): MaybePromise<Encoded<T>> {
  const { reason, summary } = omission
  const encode = (kept: Omission) => task.pipeline.encodeJson('unreplayable', kept, task)
  const whole = encode(isJson(summary) ? { reason, summary } : { reason })
  const fitting = chain(whole, (bytes) => (fits(engine, bytes) ? bytes : encode({ reason })))
  return chain(fitting, (result) => ({ value, result, replayable: false }))
}

function isJson(value: unknown): boolean {
  try {
    return JSON.stringify(value) !== undefined
  } catch {
    return false
  }
}

/** The bytes of a failure: what its class tells, else its name, message and code, else that there was one. */
export async function encodeFailure(engine: Engine, task: Task, error: unknown): Promise<Uint8Array> {
  for (const types of [engine.errorTypes, []]) {
    try {
      const bytes = await task.pipeline.encodeJson('failure', toStoredFailure(error, types), task)
      if (fits(engine, bytes)) return bytes
    } catch {
      // it cannot be told in full
    }
  }
  return UNTOLD
}

/** What a completed or failed record says: its value, or the error that it is thrown as. */
export async function decodeResult(
  engine: Pick<Engine, 'errorTypes'>,
  { pipeline, key, policies }: Pick<Task, 'pipeline' | 'key' | 'policies'>,
  record: RecordView,
): Promise<{ readonly value: unknown } | { readonly error: unknown }> {
  const { result: bytes } = record
  if (!bytes) throw new UndecodableError(`A ${record.state} record has no result.`)
  const reader = [NOT_ENCODABLE, UNTOLD].some((known) => equal(known, bytes)) ? withoutCodecs : pipeline
  const { kind, value } = await reader.decode(bytes, { key, fingerprint: record.fingerprint })
  if ((kind === 'failure') !== (record.state === 'failed')) {
    throw new UndecodableError(`A ${record.state} record holds a ${kind}.`)
  }
  switch (kind) {
    case 'value':
      return { value }
    case 'done':
      return { value: undefined }
    case 'reference':
      return { value: await rebuild(policies.guarantee, value) }
    case 'failure':
      return { error: fromStoredFailure(requireShape<StoredFailure>(value, 'message'), engine.errorTypes) }
    case 'unreplayable': {
      const { reason, summary } = requireShape<Omission>(value, 'reason')
      return { error: new NotReplayableError(reason, summary) }
    }
    default:
      throw new UndecodableError(`A ${record.state} record holds a ${kind}.`)
  }
}

function rebuild(guarantee: Task['policies']['guarantee'], reference: unknown): unknown {
  if (typeof guarantee === 'object') return guarantee.rebuild(reference)
  throw new UndecodableError('A result was recorded as a reference: give `guarantee: { reference, rebuild }`.')
}

function requireShape<Shape>(value: unknown, member: keyof Shape & string): Shape {
  if (typeof value === 'object' && value !== null && Object.hasOwn(value, member)) return value as Shape
  throw new UndecodableError(`A record holds something else than a ${member}.`)
}
