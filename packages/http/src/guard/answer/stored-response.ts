/** The part of a response that is recorded, and its bytes: a line of JSON (status and headers), then the body as it is. */
import { IdempotencyUndecodableError, type Serializer } from '@retryproof/core'
import { joinLine, splitLine } from '../../protocol/bytes.ts'
import { type AnswerForm, type HeaderField, type HttpResponse, headerValues } from '../../protocol/exchange.ts'
import type { AnswerSummary } from '../../protocol/problems.ts'
import { isRecordableStatus } from '../../protocol/status.ts'

/** Headers that are never replayed: they belong to one connection, one moment or one client. */
export const NEVER_REPLAYED: ReadonlySet<string> = new Set([
  'age',
  'authentication-info',
  'clear-site-data',
  'connection',
  'content-length',
  'date',
  'idempotency-replayed',
  'idempotent-replayed',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authentication-info',
  'proxy-authorization',
  'proxy-connection',
  'server-timing',
  'set-cookie',
  'set-cookie2',
  'te',
  'traceresponse',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

/** The response as it is recorded: without the headers that are never replayed, and those that `Connection` lists. */
export function storable({ status, headers, removed, body, form }: HttpResponse): HttpResponse {
  const connection = headerValues(headers, 'connection')
  const nominated = connection.flatMap((value) => value.toLowerCase().split(/[\s,]+/))
  const kept = headers.filter(([name]) => {
    const lower = name.toLowerCase()
    return !NEVER_REPLAYED.has(lower) && !nominated.includes(lower)
  })
  return withNotes({ status, headers: kept, body }, removed, form)
}

/**
 * Makes the response for a client that sends the request again: 204 where nothing was recorded (`replay: 'semantic'`).
 *
 * @throws IdempotencyUndecodableError for a value that is no response, since it was recorded by other means
 */
export function replayOf(recorded: HttpResponse | undefined, marker: string): HttpResponse {
  const response: HttpResponse = recorded ?? { status: 204, headers: [], body: new Uint8Array() }
  const { status, headers, removed, body, form } = response
  if (!(body instanceof Uint8Array)) throw new IdempotencyUndecodableError('The record holds no response.')
  const name = marker.toLowerCase()
  const others: HeaderField[] = headers.filter((field) => field[0].toLowerCase() !== name)
  others.push([marker, 'true'])
  return withNotes({ status, headers: others, body }, removed, form)
}

/** Keeps status and `Location` of an answer that is not recorded. */
export function summaryOf({ status, headers }: HttpResponse): AnswerSummary {
  const [location] = headerValues(headers, 'location')
  return location === undefined ? { status } : { status, location }
}

/** Records the responses of bindings. An instance that inspects them needs it as its `serializer`. Bodies are kept as bytes, at no extra cost. */
export const responseSerializer: Serializer = {
  id: 'http',
  exact: true,
  serialize(value) {
    return joinLine(JSON.stringify(readHead(value)), (value as HttpResponse).body)
  },
  deserialize(bytes) {
    const [line, body] = splitLine(bytes)
    const { status, headers, removed, form } = readHead(JSON.parse(line))
    return withNotes({ status, headers, body }, removed, form) satisfies HttpResponse
  },
  summarize: (value) => summaryOf(value as HttpResponse),
}

const TOKEN = /^[!#$%&'*+.^_`|~\dA-Za-z-]+$/
const FIELD_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/

/** Checked, so that no record can make a response that the server refuses to send, or one that injects a header. */
function readHead(head: unknown): Omit<HttpResponse, 'body'> {
  const { status, headers, removed, form } = head as { readonly [Name in keyof HttpResponse]?: unknown }
  if (!isRecordableStatus(status)) throw new TypeError('a stored response has a status of 200 to 599')
  if (!Array.isArray(headers) || !headers.every(isField)) throw new TypeError('a stored response has header fields')
  if (removed !== undefined && !isNames(removed)) throw new TypeError('removed headers are names')
  if (form !== undefined && !isForm(form)) throw new TypeError('a stored response has a known form, or none')
  return withNotes({ status, headers }, removed, form)
}

function withNotes<Head extends object>(
  head: Head,
  removed: readonly string[] | undefined,
  form: AnswerForm | undefined,
): Head & Pick<HttpResponse, 'removed' | 'form'> {
  // spread last: Node 20 makes a hidden class for each object that is spread and then given more members
  return removed || form ? { ...(removed && { removed }), ...(form && { form }), ...head } : head
}

const forms: readonly unknown[] = ['bytes', 'text', 'value', 'written'] satisfies AnswerForm[]

function isForm(form: unknown): form is AnswerForm {
  return forms.includes(form)
}

function isNames(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every(isToken)
}

/** Tells whether a value is a header field that every server can send. */
export function isField(field: unknown): field is HeaderField {
  if (!Array.isArray(field) || field.length !== 2) return false
  const [name, value] = field as [unknown, unknown]
  return isToken(name) && typeof value === 'string' && FIELD_VALUE.test(value)
}

function isToken(name: unknown): name is string {
  return typeof name === 'string' && TOKEN.test(name)
}
