/** Derived keys for downstream calls. */

import { IdempotencyInvalidOptionError } from '../errors.ts'
import type { Digest } from './digest.ts'

const STEP = /^[A-Za-z0-9_.-]{1,64}$/

/**
 * Keys for downstream calls: the same in every attempt, different for each step, and under another payload.
 * 128 bits are enough here, and leave room where a provider takes few characters.
 */
export async function derivedKeys(digest: Digest, key: string, fingerprint: string): Promise<(step: string) => string> {
  const base = (await digest('retryproof/derived', [key, fingerprint])).slice(0, 32)
  return (step) => `${base}-${requireStep(step)}`
}

/** @throws IdempotencyInvalidOptionError unless it is a name for a step */
export function requireStep(step: string): string {
  if (typeof step === 'string' && STEP.test(step)) return step
  throw new IdempotencyInvalidOptionError('step', `must be 1 to 64 of A-Z a-z 0-9 _ . -, got '${String(step)}'`)
}
