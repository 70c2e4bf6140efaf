/** Reads and writes the checkpoint of an attempt: the values of its completed steps. */

import type { CompletedStep } from '../../api/attempt.ts'
import { equal } from '../../base/bytes.ts'
import { createPipeline } from '../../encoding/envelope.ts'
import { json, jsonText } from '../../encoding/json.ts'
import { IdempotencyInvalidStepError, IdempotencyUndecodableError } from '../../errors.ts'
import type { PreparedCall } from '../context/prepared-call.ts'

type Reason = NonNullable<CompletedStep['omitted']>

/** A checkpoint with one more step; `problem` where its value is not in it. */
export interface NextCheckpoint {
  readonly step: CompletedStep
  readonly data: Uint8Array
  readonly problem?: IdempotencyInvalidStepError
}

/** Stands for steps that nobody knows, where a codec fails: always the same bytes, so that nothing can be hidden in them. */
const UNKNOWN_STEPS = createPipeline(json(), []).encodeJson('checkpoint', null, {
  key: '',
  fingerprint: '',
}) as Uint8Array

/**
 * Returns a step's value as a later attempt gets it.
 *
 * @throws {@link IdempotencyInvalidStepError} when JSON cannot hold it
 */
export function asReplayed(value: unknown): unknown {
  if (value === undefined) return undefined
  try {
    return JSON.parse(jsonText(value))
  } catch (cause) {
    throw new IdempotencyInvalidStepError(`The value of a step must be JSON: ${(cause as Error).message}.`, { cause })
  }
}

/** Returns the completed steps, or null where nobody knows which they are. */
export async function readCheckpoint(
  { pipeline, key, fingerprint }: PreparedCall,
  data: Uint8Array,
): Promise<CompletedStep[] | null> {
  if (equal(data, UNKNOWN_STEPS)) return null
  const { kind, value } = await pipeline.decode(data, { key, fingerprint })
  if (kind === 'checkpoint' && Array.isArray(value)) return value
  throw new IdempotencyUndecodableError(`A record holds a ${kind} where its checkpoint should be.`)
}

/** @throws {@link IdempotencyInvalidStepError} when the store has no room for the checkpoint */
export function requireRoom({ pipeline }: PreparedCall, { name }: CompletedStep, data: Uint8Array): Uint8Array {
  if (data.length <= pipeline.maxValueBytes) return data
  throw new IdempotencyInvalidStepError(
    `After '${name}' the checkpoint has ${data.length} bytes; the store takes ${pipeline.maxValueBytes}.`,
  )
}

/**
 * Encodes a step whose effect is done. A step without a value that can be recorded is recorded as taken all the same, so
 * that no attempt repeats its effect: first without its value, then without the values of all steps, at last without a name.
 */
export async function encodeTaken(
  prepared: PreparedCall,
  taken: readonly CompletedStep[],
  name: string,
  value: unknown,
): Promise<NextCheckpoint> {
  let problem: IdempotencyInvalidStepError
  let omitted: Reason = 'not-serializable'
  try {
    const step = { name, value: asReplayed(value) }
    omitted = 'not-encodable'
    const data = await prepared.pipeline.encodeJson('checkpoint', [...taken, step], prepared)
    omitted = 'too-large'
    return { step, data: requireRoom(prepared, step, data) }
  } catch (error) {
    problem = asProblem(name, error)
    if ((error as Error).name === 'RangeError') omitted = 'too-large'
  }
  const step = { name, value: undefined, omitted }
  for (const before of [taken, taken.map((each) => ({ ...each, value: undefined, omitted: 'too-large' }))]) {
    try {
      const data = await prepared.pipeline.encodeJson('checkpoint', [...before, step], prepared)
      return { step, data: requireRoom(prepared, step, data), problem }
    } catch {
      // the next form is smaller
    }
  }
  return { step, data: UNKNOWN_STEPS, problem }
}

function asProblem(name: string, cause: unknown): IdempotencyInvalidStepError {
  if (cause instanceof IdempotencyInvalidStepError) return cause
  return new IdempotencyInvalidStepError(`The value of '${name}' cannot be encoded: ${String(cause)}`, { cause })
}
