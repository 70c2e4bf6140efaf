/** A record as a person reads it: decoded, with the responses of guarded routes as text. */
import type { Idempotency, Inspection, KeptCall } from '@retryproof/core'
import { partsOf } from '@retryproof/core/internal'
import { responseSerializer } from '../guard/answer/stored-response.ts'
import { readKept } from '../guard/request/kept-request.ts'
import { readBytes } from './read-bytes.ts'
import { stateName } from './record-words.ts'

/** Reads a record with the codecs that are there, and the responses of guarded routes. */
export async function readRecord(
  idempotency: Pick<Idempotency, 'inspect' | 'operation'>,
  key: string,
): Promise<Inspection | null> {
  const found = await idempotency.inspect({ key })
  if (!found?.unreadable) return found
  const { operation } = partsOf(key)
  const response = await idempotency.operation(operation, { serializer: responseSerializer }).inspect({ key })
  return response?.unreadable ? found : response
}

/** A record with what it holds as values that can be printed as JSON. */
export interface ShownRecord {
  readonly key: string
  readonly state: string
  readonly attempt: number
  readonly interrupted: boolean
  readonly token: number
  readonly leaseRemainingMs: number
  readonly retentionRemainingMs: number
  readonly fingerprint: string
  readonly request?: unknown
  readonly value?: unknown
  readonly error?: unknown
  readonly unreadable?: string
}

/** Decodes a record for a person. `clean` leaves out of its values what that person may not see. */
export function toShown(
  { state, value, error, request, unreadable, ...head }: Inspection,
  clean: (value: unknown) => unknown,
): ShownRecord {
  return {
    ...head,
    state: stateName(state),
    ...(request && { request: { ...(clean(readableRequest(request)) as object), key: clean(request.key) } }),
    ...(value !== undefined && { value: clean(readable(value)) }),
    ...(error !== undefined && { error: clean(errorAsValue(error)) }),
    ...(unreadable && { unreadable: unreadable.message }),
  }
}

/** A response of a guarded route with its body as text or JSON. */
function readable(value: unknown): unknown {
  const { body, headers } = Object(value) as { body?: unknown; headers?: unknown }
  if (!(body instanceof Uint8Array) || !Array.isArray(headers)) return value
  return { ...(value as object), body: readBytes(body) }
}

/** A kept request; that of a guarded route with its body as text or JSON. */
function readableRequest({ scope, payload, ...call }: KeptCall): unknown {
  const owned = { ...call, scope: typeof scope === 'symbol' ? null : scope }
  if (!(payload instanceof Uint8Array)) return { ...owned, payload }
  try {
    const { method, target, headers, body } = readKept({ ...call, scope, payload })
    return { ...owned, payload: { method, target, headers, body: readBytes(body) } }
  } catch {
    return { ...owned, payload: readBytes(payload) }
  }
}

function errorAsValue(error: unknown): unknown {
  if (!(error instanceof Error)) return error
  const { name, message, ...members } = error
  return { name: error.name, message: error.message, ...members, ...(name !== undefined && { name }) }
}

/** A replacer for JSON.stringify: bytes as what they hold; errors by name and message. */
export function toPlain(_name: string, value: unknown): unknown {
  if (value instanceof Uint8Array) return readBytes(value)
  if (value instanceof Error) return { name: value.name, message: value.message }
  return value
}
