/** What is recorded of a result, and the result again. */

import { isUnreplayable, type Unreplayable } from '../api/handler-results.ts'
import type { ReplayByReference } from '../api/policies.ts'
import { equal } from '../base/bytes.ts'
import { chain, type MaybePromise } from '../base/maybe-promise.ts'
import type { Instance } from '../engine/context/instance.ts'
import type { PreparedCall } from '../engine/context/prepared-call.ts'
import { IdempotencyNotReplayableError, IdempotencyUndecodableError, type StoredFailure } from '../errors.ts'
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
export function encodeReturned<T>(
  instance: Instance,
  prepared: PreparedCall,
  returned: T | Unreplayable<T>,
): MaybePromise<Encoded<T>> {
  if (!isUnreplayable(returned)) return encodeValue(instance, prepared, returned)
  return encodeOmission(instance, prepared, returned.value, { reason: 'unreplayable', summary: returned.summary })
}

/** The envelopes that are left where a codec fails: always the same bytes, so that nothing can be hidden in them. */
const withoutCodecs = createPipeline(json(), [])
const leftover = (kind: 'unreplayable' | 'failure', value: Omission | StoredFailure) =>
  // without codecs there is nothing to wait for
  withoutCodecs.encodeJson(kind, value, { key: '', fingerprint: '' }) as Uint8Array
const NOT_ENCODABLE = leftover('unreplayable', { reason: 'not-encodable' })
const UNTOLD = leftover('failure', {
  name: 'Error',
  message: 'The operation failed; what with could not be recorded.',
})

/** The same where the effect is done and cannot be undone: should a codec fail, at least that much is recorded. */
export async function encodeDone<T>(
  instance: Instance,
  prepared: PreparedCall,
  returned: T | Unreplayable<T>,
): Promise<Encoded<T>> {
  try {
    return await encodeReturned(instance, prepared, returned)
  } catch {
    const value = isUnreplayable(returned) ? returned.value : returned
    return { value, result: NOT_ENCODABLE, replayable: false }
  }
}

/** What the replay keeps of a value; where it cannot be kept, why. */
function encodeValue<T>(instance: Instance, prepared: PreparedCall, value: T): MaybePromise<Encoded<T>> {
  const { replay } = prepared.policies
  if (replay === 'strict') return encodeStrictly(instance, prepared, value)
  if (replay === 'semantic') return kept(value, prepared.pipeline.encodeJson('done', null, prepared))
  return encodeReference(instance, prepared, value, replay)
}

function kept<T>(value: T, bytes: MaybePromise<Uint8Array>): MaybePromise<Encoded<T>> {
  return chain(bytes, (result) => ({ value, result, replayable: true }))
}

/** A reference that cannot be kept is no reason to run again: the effect is done. */
function encodeReference<T>(
  instance: Instance,
  prepared: PreparedCall,
  value: T,
  { reference }: ReplayByReference,
): MaybePromise<Encoded<T>> {
  try {
    const encoded = kept(value, prepared.pipeline.encodeJson('reference', reference(value), prepared))
    return withinLimit(instance, prepared, encoded)
  } catch {
    return encodeOmission(instance, prepared, value, { reason: 'not-serializable' })
  }
}

/** The bytes of a value, and the value as a replay gives it: the first caller gets it through the serializer too. */
function encodeStrictly<T>(instance: Instance, prepared: PreparedCall, value: T): MaybePromise<Encoded<T>> {
  let plain: Uint8Array
  let seen: T
  try {
    const { serializer } = prepared.policies
    plain = serializer.serialize(value)
    seen = serializer.exact ? value : (serializer.deserialize(plain) as T)
  } catch {
    return encodeOmission(instance, prepared, value, { reason: 'not-serializable' })
  }
  return withinLimit(instance, prepared, kept(seen, prepared.pipeline.encodeValue(plain, prepared)))
}

function withinLimit<T>(
  instance: Instance,
  prepared: PreparedCall,
  encoding: MaybePromise<Encoded<T>>,
): MaybePromise<Encoded<T>> {
  return chain(encoding, (encoded) => {
    if (fits(instance, encoded.result)) return encoded
    const summary = summaryOf(prepared, encoded.value)
    return encodeOmission(instance, prepared, encoded.value, { reason: 'too-large', summary })
  })
}

function summaryOf({ policies: { serializer } }: PreparedCall, value: unknown): unknown {
  try {
    return serializer.summarize?.(value)
  } catch {
    // the effect is done, whether or not it can be summed up
    return undefined
  }
}

function fits({ store }: Instance, bytes: Uint8Array): boolean {
  return bytes.length <= store.capabilities.maxValueBytes
}

/** The bytes that say: completed, but without the value; and without its summary where that cannot be kept either. */
function encodeOmission<T>(
  instance: Instance,
  prepared: PreparedCall,
  value: T,
  omission: Omission,
): MaybePromise<Encoded<T>> {
  const { reason, summary } = omission
  const encode = (kept: Omission) => prepared.pipeline.encodeJson('unreplayable', kept, prepared)
  const whole = encode(isJson(summary) ? { reason, summary } : { reason })
  const fitting = chain(whole, (bytes) => (fits(instance, bytes) ? bytes : encode({ reason })))
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
export async function encodeFailure(instance: Instance, prepared: PreparedCall, error: unknown): Promise<Uint8Array> {
  for (const types of [instance.errorTypes, []]) {
    try {
      const bytes = await prepared.pipeline.encodeJson('failure', toStoredFailure(error, types), prepared)
      if (fits(instance, bytes)) return bytes
    } catch {
      // it cannot be told in full
    }
  }
  return UNTOLD
}

/** What a completed or failed record says: its value, or the error that it is thrown as. */
export async function decodeResult(
  instance: Pick<Instance, 'errorTypes'>,
  { pipeline, key, policies }: Pick<PreparedCall, 'pipeline' | 'key' | 'policies'>,
  record: RecordView,
): Promise<{ readonly value: unknown } | { readonly error: unknown }> {
  const { result: bytes } = record
  if (!bytes) throw new IdempotencyUndecodableError(`A ${record.state} record has no result.`)
  const reader = [NOT_ENCODABLE, UNTOLD].some((known) => equal(known, bytes)) ? withoutCodecs : pipeline
  const { kind, value } = await reader.decode(bytes, { key, fingerprint: record.fingerprint })
  if ((kind === 'failure') !== (record.state === 'failed')) {
    throw new IdempotencyUndecodableError(`A ${record.state} record holds a ${kind}.`)
  }
  switch (kind) {
    case 'value':
      return { value }
    case 'done':
      return { value: undefined }
    case 'reference':
      return { value: await rebuild(policies.replay, value) }
    case 'failure':
      return { error: fromStoredFailure(requireShape<StoredFailure>(value, 'message'), instance.errorTypes) }
    case 'unreplayable': {
      const { reason, summary } = requireShape<Omission>(value, 'reason')
      return { error: new IdempotencyNotReplayableError(reason, summary) }
    }
    default:
      throw new IdempotencyUndecodableError(`A ${record.state} record holds a ${kind}.`)
  }
}

function rebuild(replay: PreparedCall['policies']['replay'], reference: unknown): unknown {
  if (typeof replay === 'object') return replay.rebuild(reference)
  throw new IdempotencyUndecodableError('A result was recorded as a reference: give `replay: { reference, rebuild }`.')
}

function requireShape<Shape>(value: unknown, member: keyof Shape & string): Shape {
  if (typeof value === 'object' && value !== null && Object.hasOwn(value, member)) return value as Shape
  throw new IdempotencyUndecodableError(`A record holds something else than a ${member}.`)
}
