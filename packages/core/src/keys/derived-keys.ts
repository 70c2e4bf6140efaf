/** Derived keys for downstream calls. */

import type { Attempt } from '../api/attempt.ts'
import { IdempotencyInvalidOptionError } from '../errors.ts'
import type { Digest } from './digest.ts'

const STEP = /^[A-Za-z0-9_.-]{1,64}$/

/**
 * Derives keys for downstream calls: the same in every attempt, others for each step and under another payload. The step
 * is inside of the digest, so that no two steps share a prefix, however short a provider cuts it.
 */
export function derivedKeys(digest: Digest, key: string, fingerprint: string): Attempt['keyFor'] {
  return (step, { as = 'hex' } = {}) => {
    const hex = digest('retryproof/derived', [key, fingerprint, requireStep(step)]).slice(0, 32)
    if (as === 'hex') return hex
    if (as === 'uuid') return toUuid(hex)
    throw new IdempotencyInvalidOptionError('as', `must be 'hex' or 'uuid', got '${String(as)}'`)
  }
}

/** Version 4, which every provider takes: the digest is as good as random to whoever does not know what it is made of. */
function toUuid(hex: string): string {
  const variant = ((Number.parseInt(hex.charAt(16), 16) & 0b0011) | 0b1000).toString(16)
  const digits = `${hex.slice(0, 12)}4${hex.slice(13, 16)}${variant}${hex.slice(17)}`
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}

/** @throws {@link IdempotencyInvalidOptionError} when it is no name for a step */
export function requireStep(step: string): string {
  if (typeof step === 'string' && STEP.test(step)) return step
  throw new IdempotencyInvalidOptionError('step', `must be 1 to 64 of A-Z a-z 0-9 _ . -, got '${String(step)}'`)
}
