/** What of a response is kept, and in which bytes: a line of JSON (status and headers), then the body as it is. */
import { IdempotencyUndecodableError, type Serializer } from '@retryproof/core'
import { joinLine, splitLine } from '../../protocol/bytes.ts'
import { type HeaderField, type HttpResponse, headerValues } from '../../protocol/exchange.ts'
import type { AnswerSummary } from '../../protocol/problems.ts'

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
  const nominated = headerValues(headers, 'connection').flatMap((value) => value.toLowerCase().split(/[ ,]+/))
  const kept = headers.filter(([name]) => {
    const lower = name.toLowerCase()
    return !neverStored.has(lower) && !nominated.includes(lower)
  })
  return { status, headers: kept, body }
}

/**
 * A response for whoever sends the request again; without one (`replay: 'semantic'`), that it is done.
 *
 * @throws IdempotencyUndecodableError for a value that is no response, since it was recorded by other means
 */
export function replayOf(recorded: HttpResponse | undefined): HttpResponse {
  const { status, headers, body } = recorded ?? { status: 204, headers: [], body: new Uint8Array() }
  if (!(body instanceof Uint8Array)) throw new IdempotencyUndecodableError('The record holds no response.')
  return { status, headers: [...headers, ['Idempotency-Replayed', 'true']], body }
}

/** What is told of an answer that is not kept. */
export function summaryOf({ status, headers }: HttpResponse): AnswerSummary {
  const [location] = headerValues(headers, 'location')
  return location === undefined ? { status } : { status, location }
}

/** How bindings record responses; give it to an instance that inspects them. Bodies are kept as bytes, at no extra cost. */
export const responseSerializer: Serializer = {
  id: 'http',
  exact: true,
  serialize(value) {
    const { body, ...head } = value as HttpResponse
    return joinLine(JSON.stringify(readHead(head)), body)
  },
  deserialize(bytes) {
    const [line, body] = splitLine(bytes)
    return { ...readHead(JSON.parse(line)), body } satisfies HttpResponse
  },
  summarize: (value) => summaryOf(value as HttpResponse),
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
