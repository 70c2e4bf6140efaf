/** Reads and writes the checkpoint of an attempt: the values of its completed steps. */

import type { CompletedStep } from '../../api/attempt.ts'
import { IdempotencyInvalidStepError } from '../../errors.ts'
import type { PreparedCall } from '../context/prepared-call.ts'

/** A step's value as a later attempt will get it; what JSON cannot hold is refused before anything is recorded. */
export function asReplayed(value: unknown): unknown {
  if (value === undefined) return undefined
  try {
    const text: string | undefined = JSON.stringify(value)
    if (text !== undefined) return JSON.parse(text)
  } catch (cause) {
    throw new IdempotencyInvalidStepError('The value of a step must be JSON.', { cause })
  }
  throw new IdempotencyInvalidStepError(`The value of a step must be JSON, got a ${typeof value}.`)
}

export async function readCheckpoint(
  { pipeline, key, fingerprint }: PreparedCall,
  data: Uint8Array,
): Promise<CompletedStep[]> {
  const { value } = await pipeline.decode(data, { key, fingerprint })
  return Array.isArray(value) ? value : []
}
