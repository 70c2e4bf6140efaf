/** Encodes results and failures for a record, and decodes them again. */

import { isUnreplayable, type Unreplayable } from '../api/handler-results.ts'
import type { Policies, ReplayByReference } from '../api/policies.ts'
import type { ErrorType } from '../api/serialization.ts'
import { equal } from '../base/bytes.ts'
import { after, isPromise, type MaybePromise } from '../base/maybe-promise.ts'
import { warn } from '../base/warn.ts'
import { IdempotencyNotReplayableError, IdempotencyUndecodableError, type StoredFailure } from '../errors.ts'
import type { RecordView } from '../store/store.ts'
import { createPipeline, type Decoded, type Pipeline, type Where } from './envelope.ts'
import { fromStoredFailure, toStoredFailure } from './failure.ts'
import { json, jsonText, throughJson, writesJson } from './json.ts'

/** The call that a result belongs to. */
export interface ResultContext extends Where {
  readonly operation: string
  readonly pipeline: Pipeline
  readonly policies: { readonly replay: NonNullable<Policies['replay']> }
}

/** Stands in a record instead of a value that could not be kept. */
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

/** Encodes what a handler returned. */
export function encodeReturned<T>(context: ResultContext, returned: T | Unreplayable<T>): MaybePromise<Encoded<T>> {
  if (isUnreplayable(returned)) {
    return encodeOmission(context, returned.value, { reason: 'unreplayable', summary: returned.summary })
  }
  const { replay } = context.policies
  if (replay === 'strict') return encodeStrictly(context, returned)
  if (replay !== 'semantic') return encodeReference(context, returned, replay)
  const done = context.pipeline.encodeJson('done', null, context)
  return after(done, (result) => ({ value: returned, result, replayable: true }))
}

/** The envelopes that are left where a codec fails: always the same bytes, so that nothing can be hidden in them. */
const withoutCodecs = createPipeline(json(), [])
const leftover = (kind: 'unreplayable' | 'failure', value: Omission | StoredFailure) =>
  // without codecs there is nothing to wait for
  withoutCodecs.encodeJson(kind, value, { key: '', fingerprint: '' }) as Uint8Array
const NOT_ENCODABLE = leftover('unreplayable', { reason: 'not-encodable' })
const UNTOLD = leftover('failure', {
  name: 'Error',
  message: 'The operation failed; its error could not be recorded.',
})

/** Encodes what a handler returned whose effect cannot be undone: if a codec fails, records at least that it is done. */
export function encodeDone<T>(context: ResultContext, returned: T | Unreplayable<T>): MaybePromise<Encoded<T>> {
  const failed = (error: unknown): Encoded<T> => {
    warnOnce(context, 'not-encodable', error)
    const value = isUnreplayable(returned) ? returned.value : returned
    return { value, result: NOT_ENCODABLE, replayable: false }
  }
  try {
    const encoded = encodeReturned(context, returned)
    return isPromise(encoded) ? encoded.catch(failed) : encoded
  } catch (error) {
    return failed(error)
  }
}

/** A reference that cannot be kept is no reason to run again: the effect is done. */
function encodeReference<T>(
  context: ResultContext,
  value: T,
  { reference }: ReplayByReference,
): MaybePromise<Encoded<T>> {
  let kept: unknown
  try {
    kept = reference(value)
    jsonText(kept)
  } catch (error) {
    return encodeUnserializable(context, value, error)
  }
  return encodeWithinLimit(context, value, () => context.pipeline.encodeJson('reference', kept, context))
}

/** Gives the first caller its value through the serializer too, so that it is as a replay gives it. */
function encodeStrictly<T>(context: ResultContext, value: T): MaybePromise<Encoded<T>> {
  const { pipeline } = context
  let plain: Uint8Array | string
  let seen: T
  try {
    const { serializer } = pipeline
    if (writesJson(serializer)) {
      const replayed = throughJson(value)
      plain = replayed.text
      seen = replayed.value as T
    } else {
      plain = serializer.serialize(value)
      seen = serializer.exact ? value : (serializer.deserialize(plain) as T)
    }
  } catch (error) {
    return encodeUnserializable(context, value, error)
  }
  return encodeWithinLimit(context, seen, () => pipeline.encodeValue(plain, context))
}

function encodeUnserializable<T>(context: ResultContext, value: T, error: unknown): MaybePromise<Encoded<T>> {
  warnOnce(context, 'not-serializable', error)
  return encodeOmission(context, value, { reason: 'not-serializable' })
}

function encodeWithinLimit<T>(
  context: ResultContext,
  value: T,
  encode: () => MaybePromise<Uint8Array>,
): MaybePromise<Encoded<T>> {
  const omitted = () => encodeOmission(context, value, { reason: 'too-large', summary: summaryOf(context, value) })
  const kept = (result: Uint8Array) => (fits(context, result) ? { value, result, replayable: true } : omitted())
  const failed = (error: unknown) => {
    if (isTooLarge(error)) return omitted()
    throw error
  }
  let encoded: MaybePromise<Uint8Array>
  try {
    encoded = encode()
  } catch (error) {
    return failed(error)
  }
  return isPromise(encoded) ? encoded.then(kept, failed) : kept(encoded)
}

/** A codec says with a RangeError that a value is too large for it. */
function isTooLarge(error: unknown): boolean {
  return Object(error).name === 'RangeError'
}

function summaryOf({ pipeline }: ResultContext, value: unknown): unknown {
  try {
    return pipeline.serializer.summarize?.(value)
  } catch {
    // the effect is done, whether or not it can be summed up
    return undefined
  }
}

function fits({ pipeline }: ResultContext, bytes: Uint8Array): boolean {
  return bytes.length <= pipeline.maxValueBytes
}

/** Encodes that the operation completed without its value, and without a summary that cannot be kept. */
function encodeOmission<T>(context: ResultContext, value: T, { reason, summary }: Omission): MaybePromise<Encoded<T>> {
  const encode = (omission: Omission) => context.pipeline.encodeJson('unreplayable', omission, context)
  const whole = encode(isJson(summary) ? { reason, summary } : { reason })
  const kept = after(whole, (bytes) => (fits(context, bytes) ? bytes : encode({ reason })))
  return after(kept, (result) => ({ value, result, replayable: false }))
}

function isJson(value: unknown): boolean {
  try {
    return JSON.stringify(value) !== undefined
  } catch {
    return false
  }
}

/** More operations than that have names that are made up, and a warning for each would be noise. */
const MAX_WARNED = 1000

/** Warns at the first result of an operation that is not kept, since its first caller gets it all the same. */
function warnOnce({ operation, pipeline: { warned } }: ResultContext, reason: string, error: unknown): void {
  if (warned.has(operation) || warned.size >= MAX_WARNED) return
  warned.add(operation)
  const advice = reason === 'not-serializable' ? '. Return what JSON can hold, or set `serializer`' : ''
  warn(`A result of '${operation}' is not kept (${reason}): a retry throws IDEMPOTENCY_NOT_REPLAYABLE${advice}`, error)
}

/** Encodes a failure: what its registered class keeps, else its name, message and code, else that there was one. */
export async function encodeFailure(
  errorTypes: readonly ErrorType[],
  context: ResultContext,
  error: unknown,
): Promise<Uint8Array> {
  for (const types of [errorTypes, []]) {
    try {
      const bytes = await context.pipeline.encodeJson('failure', toStoredFailure(error, types), context)
      if (fits(context, bytes)) return bytes
    } catch {
      // the next form keeps less
    }
  }
  return UNTOLD
}

/** The value of a record, or the error that it is thrown as. */
export type Recorded = { readonly value: unknown } | { readonly error: unknown }

/**
 * Decodes a completed or failed record: its value, or the error that it is thrown as.
 *
 * @throws {@link IdempotencyUndecodableError} when the bytes cannot be read
 */
export function decodeResult(
  errorTypes: readonly ErrorType[],
  { pipeline, key, policies }: Pick<ResultContext, 'pipeline' | 'key' | 'policies'>,
  record: RecordView,
): MaybePromise<Recorded> {
  const { result: bytes, state, fingerprint } = record
  if (!bytes) throw new IdempotencyUndecodableError(`A ${state} record has no result.`)
  const reader = equal(NOT_ENCODABLE, bytes) || equal(UNTOLD, bytes) ? withoutCodecs : pipeline
  return after(reader.decode(bytes, { key, fingerprint }), (decoded) =>
    recordedIn(decoded, state, policies.replay, errorTypes),
  )
}

function recordedIn(
  { kind, value }: Decoded,
  state: RecordView['state'],
  replay: ResultContext['policies']['replay'],
  errorTypes: readonly ErrorType[],
): MaybePromise<Recorded> {
  if ((kind === 'failure') !== (state === 'failed')) {
    throw new IdempotencyUndecodableError(`A ${state} record holds a ${kind}.`)
  }
  switch (kind) {
    case 'value':
      return { value }
    case 'done':
      return { value: undefined }
    case 'reference':
      return rebuild(replay, value)
    case 'failure':
      return { error: fromStoredFailure(requireShape<StoredFailure>(value, 'message'), errorTypes) }
    case 'unreplayable': {
      const { reason, summary } = requireShape<Omission>(value, 'reason')
      return { error: new IdempotencyNotReplayableError(reason, summary) }
    }
    default:
      throw new IdempotencyUndecodableError(`A ${state} record holds a ${kind}.`)
  }
}

async function rebuild(replay: ResultContext['policies']['replay'], reference: unknown): Promise<Recorded> {
  if (typeof replay === 'object') return { value: await replay.rebuild(reference) }
  throw new IdempotencyUndecodableError('A result was recorded as a reference: give `replay: { reference, rebuild }`.')
}

function requireShape<Shape>(value: unknown, member: keyof Shape & string): Shape {
  if (typeof value === 'object' && value !== null && Object.hasOwn(value, member)) return value as Shape
  throw new IdempotencyUndecodableError(`A record has no '${member}' where it must have one.`)
}
