/** Resolves a parked key of a guarded route with a response. */
import { type Idempotency, IdempotencyInvalidCallError, type Reference, type StoredKey } from '@retryproof/core'
import { partsOf } from '@retryproof/core/internal'
import type { HeaderField, HttpResponse } from '../../protocol/exchange.ts'
import { forbidsBody, isRecordableStatus } from '../../protocol/status.ts'
import { isField, responseSerializer, storable } from './stored-response.ts'

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
  response: GivenResponse,
): Promise<void> {
  const operation = 'operation' in reference ? reference.operation : partsOf(reference.key).operation
  const completed = readResponse(response)
  await idempotency.operation(operation, { serializer: responseSerializer }).resolve(reference, { completed })
}

/** Reads what a person wrote down, perhaps in a file that no compiler has seen. */
function readResponse(given: GivenResponse): HttpResponse {
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    throw refused('must be an object with `status`, `headers` and `body`')
  const { status, headers = {}, body, ...others } = given
  const [unknown] = Object.keys(others)
  if (unknown !== undefined) throw refused(`has no member '${unknown}': it takes status, headers and body`)
  if (!isRecordableStatus(status)) throw refused('needs a `status` of 200 to 599')
  const isObject = typeof headers === 'object' && headers !== null
  const fields: unknown[] = Array.isArray(headers) ? headers : isObject ? Object.entries(headers) : [headers]
  if (!fields.every(isField)) throw refused('takes `headers` of names and texts, such as { "location": "/orders/1" }')
  const { type, bytes } = encodeBody(body)
  if (forbidsBody(status)) {
    if (bytes.length > 0) throw refused(`of status ${status} takes no body`)
    return storable({ status, headers: fields, body: bytes })
  }
  const typed = type === undefined || fields.some(([name]) => name.toLowerCase() === 'content-type')
  return storable({ status, headers: typed ? fields : [...fields, ['content-type', type]], body: bytes })
}

const refused = (reason: string) => new IdempotencyInvalidCallError('payload', `The response ${reason}.`)

function encodeBody(body: unknown): { readonly type?: string; readonly bytes: Uint8Array } {
  if (body === undefined) return { bytes: new Uint8Array() }
  if (body instanceof Uint8Array) return { bytes: body }
  if (typeof body === 'string') return { type: 'text/plain; charset=utf-8', bytes: new TextEncoder().encode(body) }
  return { type: 'application/json', bytes: new TextEncoder().encode(JSON.stringify(body)) }
}
