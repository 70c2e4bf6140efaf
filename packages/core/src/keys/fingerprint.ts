/** Fingerprints of payloads. */

import { IdempotencyInvalidCallError } from '../errors.ts'
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
  if (typeof payload !== 'string') return ['json', canonicalBytes(payload)]
  if (!payload.isWellFormed())
    throw new IdempotencyInvalidCallError('payload', 'payload: a lone surrogate has no UTF-8 form')
  return ['text', payload]
}
