/** Resolves a parked key of a guarded route with a response. */
import type { Idempotency, Reference, StoredKey } from '@retryproof/core'
import { partsOf } from '@retryproof/core/internal'
import type { HeaderField } from '../../protocol/exchange.ts'
import { responseSerializer, storable } from './stored-response.ts'

/** A response as an operator writes it down. */
export interface GivenResponse {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>> | readonly HeaderField[]
  /** A text or bytes are sent as they are; anything else as JSON. */
  readonly body?: unknown
}

/**
 * Records the response that every retry of a parked key gets, once it is known what happened.
 *
 * @example
 * import { createIdempotency } from '@retryproof/core'
 * import { resolveResponse } from '@retryproof/http'
 * import { memoryStore } from '@retryproof/memory'
 *
 * const idempotency = createIdempotency({ store: memoryStore(), namespace: 'shop' })
 * const order = { operation: 'POST /orders', scope: 'user_42', key: 'order-1' }
 * await resolveResponse(idempotency, order, { status: 201, body: { id: 'ord_1' } })
 *
 * @throws {@link IdempotencyNotParkedError} when the record is in another state
 * @throws {@link IdempotencyInvalidCallError} when the response cannot be recorded, or the operation is no guarded route
 */
export async function resolveResponse(
  idempotency: Pick<Idempotency, 'operation'>,
  reference: Reference | StoredKey,
  { status, headers = {}, body }: GivenResponse,
): Promise<void> {
  const operation = 'operation' in reference ? reference.operation : partsOf(reference.key).operation
  const fields = Array.isArray(headers) ? headers : Object.entries(headers)
  const { type, bytes } = encodeBody(body)
  const typed = type === undefined || fields.some(([name]) => name.toLowerCase() === 'content-type')
  const response = storable({ status, headers: typed ? fields : [...fields, ['content-type', type]], body: bytes })
  await idempotency.operation(operation, { serializer: responseSerializer }).resolve(reference, { completed: response })
}

function encodeBody(body: unknown): { readonly type?: string; readonly bytes: Uint8Array } {
  if (body === undefined) return { bytes: new Uint8Array() }
  if (body instanceof Uint8Array) return { bytes: body }
  if (typeof body === 'string') return { type: 'text/plain; charset=utf-8', bytes: new TextEncoder().encode(body) }
  return { type: 'application/json', bytes: new TextEncoder().encode(JSON.stringify(body)) }
}
