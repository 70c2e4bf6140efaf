/** Keeps the request of a call with its record, so that the call can be finished without its client. */

import { type Call, unscoped } from '../api/call.ts'
import type { KeptCall } from '../api/operators.ts'
import { IdempotencyInvalidCallError, IdempotencyUndecodableError } from '../errors.ts'
import type { Digest } from '../keys/digest.ts'
import type { Pipeline, Where } from './envelope.ts'
import { jsonText } from './json.ts'

interface KeptPayload {
  readonly type: 'none' | 'json' | 'text' | 'base64'
  readonly text: string
}

/** A kept call, as it is recorded. */
export interface KeptRequest {
  readonly operation: string
  /** Null for an unscoped call. */
  readonly scope: readonly string[] | null
  readonly key: string
  readonly payload: KeptPayload
}

interface RequestContext extends Where {
  readonly digest: Digest
  readonly pipeline: Pipeline
}

/**
 * Copies the parts of a call that are kept, so that the caller may change its payload afterwards.
 *
 * @throws {@link IdempotencyInvalidCallError} when JSON cannot hold the request
 */
export function keepRequest({ operation, scope, key, payload, request = payload }: Call): KeptRequest {
  return { operation, scope: scope === unscoped ? null : [scope].flat(), key, payload: keepPayload(request) }
}

/**
 * Encodes a kept call with a seal: a digest (HMAC with a `secret`) that binds it to its record, so that a request which was
 * changed in the store is not run.
 *
 * @throws {@link IdempotencyInvalidCallError} when the store has no room for it
 */
export async function encodeRequest(context: RequestContext, kept: KeptRequest): Promise<Uint8Array> {
  const { maxValueBytes } = context.pipeline
  const sealed = { ...kept, seal: sealOf(context, kept) }
  const bytes = await context.pipeline.encodeJson('request', sealed, context)
  if (bytes.length <= maxValueBytes) return bytes
  throw new IdempotencyInvalidCallError(
    'payload',
    `payload: ${bytes.length} bytes to keep, and the store takes ${maxValueBytes}`,
  )
}

function sealOf({ digest, key, fingerprint }: RequestContext, { operation, scope, payload, ...kept }: KeptRequest) {
  const parts = [key, fingerprint, operation, JSON.stringify(scope), kept.key, payload.type, payload.text]
  return digest('retryproof/request', parts)
}

/** @throws {@link IdempotencyUndecodableError} when the bytes are no request of this record, or were changed */
export async function decodeRequest(context: RequestContext, bytes: Uint8Array): Promise<KeptCall> {
  const { kind, value } = await context.pipeline.decode(bytes, context)
  if (kind !== 'request') throw new IdempotencyUndecodableError(`A record keeps a ${kind} where its request should be.`)
  const { seal, ...kept } = value as KeptRequest & { readonly seal: string }
  if (seal !== sealOf(context, kept)) {
    throw new IdempotencyUndecodableError('A kept request was changed in the store, or belongs to another record.')
  }
  return { operation: kept.operation, scope: kept.scope ?? unscoped, key: kept.key, payload: payloadOf(kept.payload) }
}

function keepPayload(payload: unknown): KeptPayload {
  if (payload === undefined) return { type: 'none', text: '' }
  if (typeof payload === 'string') return { type: 'text', text: payload }
  if (payload instanceof ArrayBuffer) return { type: 'base64', text: toBase64(new Uint8Array(payload)) }
  if (!ArrayBuffer.isView(payload)) return { type: 'json', text: requestText(payload) }
  return { type: 'base64', text: toBase64(new Uint8Array(payload.buffer, payload.byteOffset, payload.byteLength)) }
}

function requestText(payload: unknown): string {
  try {
    return jsonText(payload)
  } catch (error) {
    throw new IdempotencyInvalidCallError('payload', `payload: it cannot be kept, ${(error as Error).message}`)
  }
}

function payloadOf({ type, text }: KeptPayload): unknown {
  if (type === 'none') return undefined
  if (type === 'json') return JSON.parse(text)
  return type === 'base64' ? fromBase64(text) : text
}

const CHUNK = 0x8000

function toBase64(bytes: Uint8Array): string {
  let binary = ''
  for (let at = 0; at < bytes.length; at += CHUNK) binary += String.fromCharCode(...bytes.subarray(at, at + CHUNK))
  return btoa(binary)
}

function fromBase64(text: string): Uint8Array {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0))
}
