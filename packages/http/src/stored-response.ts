/** What of a response is kept, and in which bytes: a line of JSON (status and headers), then the body as it is. */
import type { Serializer } from '@retryproof/core'
import { type HeaderField, type HttpResponse, headerValues } from './exchange.ts'

/** Belong to one connection, one moment or one client. */
const neverStored = new Set([
  'connection',
  'content-length',
  'date',
  'idempotency-replayed',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'set-cookie',
  'set-cookie2',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

/** The response as it is kept: without what belongs to one connection, one moment or one client. */
export function storable({ status, headers, body }: HttpResponse): HttpResponse {
  const nominated = new Set(headerValues(headers, 'connection').flatMap((value) => value.toLowerCase().split(/[ ,]+/)))
  const kept = headers.filter(([name]) => {
    const lower = name.toLowerCase()
    return !neverStored.has(lower) && !nominated.has(lower)
  })
  return { status, headers: kept, body }
}

/** A response for whoever sends the request again; without one (`guarantee: 'semantic'`), that it is done. */
export function replayOf(recorded: HttpResponse | undefined): HttpResponse {
  const { status, headers, body } = recorded ?? { status: 204, headers: [], body: new Uint8Array() }
  return { status, headers: [...headers, ['Idempotency-Replayed', 'true']], body }
}

const LINE_FEED = 10
const utf8 = new TextEncoder()
const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** How bindings record responses; give it to an instance that inspects them. Bodies are kept as bytes, at no extra cost. */
export const responseSerializer: Serializer = {
  id: 'http',
  serialize(value) {
    const { status, headers, body } = value as HttpResponse
    const head = utf8.encode(JSON.stringify({ status, headers }))
    const bytes = new Uint8Array(head.length + 1 + body.length)
    bytes.set(head)
    bytes[head.length] = LINE_FEED
    bytes.set(body, head.length + 1)
    return bytes
  },
  deserialize(bytes) {
    const end = bytes.indexOf(LINE_FEED)
    if (end < 0) throw new TypeError('a stored response has a line with its status and headers')
    const head: unknown = JSON.parse(strictUtf8.decode(bytes.subarray(0, end)))
    return { ...readHead(head), body: bytes.subarray(end + 1) } satisfies HttpResponse
  },
}

const TOKEN = /^[!#$%&'*+.^_`|~\dA-Za-z-]+$/
const FIELD_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/

/** Checked, so that no record can make a response that the server refuses to send, or one that injects a header. */
function readHead(head: unknown): { status: number; headers: HeaderField[] } {
  const { status, headers } = head as { status?: unknown; headers?: unknown }
  if (!Number.isInteger(status) || (status as number) < 200 || (status as number) > 599) {
    throw new TypeError('a stored response has a status of 200 to 599')
  }
  if (!Array.isArray(headers) || !headers.every(isField)) throw new TypeError('a stored response has header fields')
  return { status: status as number, headers }
}

function isField(field: unknown): field is HeaderField {
  if (!Array.isArray(field) || field.length !== 2) return false
  const [name, value] = field as [unknown, unknown]
  return typeof name === 'string' && TOKEN.test(name) && typeof value === 'string' && FIELD_VALUE.test(value)
}
