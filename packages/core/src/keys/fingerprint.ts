/** Fingerprints of payloads. */

import { describeThrown } from '../base/warn.ts'
import { IdempotencyInvalidCallError, isIdempotencyError } from '../errors.ts'
import { canonicalBytes } from './canonical/canonical-bytes.ts'
import type { Digest } from './digest.ts'

/** The digest of a payload: bytes and text as they are, anything else as canonical JSON. */
export function fingerprintOf(digest: Digest, payload: unknown): string {
  return digest('retryproof/fingerprint', describePayload(payload))
}

function describePayload(payload: unknown): readonly (string | Uint8Array)[] {
  if (payload === undefined) return ['none']
  if (ArrayBuffer.isView(payload)) {
    return ['bytes', new Uint8Array(payload.buffer, payload.byteOffset, payload.byteLength)]
  }
  if (payload instanceof ArrayBuffer) return ['bytes', new Uint8Array(payload)]
  if (typeof payload !== 'string') return ['json', jsonOf(payload)]
  if (!payload.isWellFormed())
    throw new IdempotencyInvalidCallError('payload', 'payload: a lone surrogate has no UTF-8 form')
  return ['text', payload]
}

/** @throws {@link IdempotencyInvalidCallError} also where a getter or a `toJSON` of the payload throws */
function jsonOf(payload: unknown): string | Uint8Array {
  try {
    return canonicalBytes(payload)
  } catch (error) {
    if (isIdempotencyError(error)) throw error
    throw new IdempotencyInvalidCallError('payload', `payload: it throws when it is read: ${describeThrown(error)}`)
  }
}
