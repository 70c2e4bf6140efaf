/** Reads the arguments of `write`, `end` and `writeHead` as Node does. */
import { type OutgoingHttpHeader, type OutgoingHttpHeaders, ServerResponse, STATUS_CODES } from 'node:http'
import type { HeaderField } from '../../../protocol/exchange.ts'
import { changedHeaders, restoreHeaders } from '../headers.ts'
import { isHttp2 } from './response-seal.ts'

export type Callback = (error?: Error | null) => void

/** Chunks that may be written; Node throws for anything else. */
export function isChunk(value: unknown): value is string | Uint8Array {
  return typeof value === 'string' || value instanceof Uint8Array
}

/** The bytes of a chunk; whoever may use its buffer again before they have left has to copy them. */
export function toBytes(chunk: string | Uint8Array, encoding: BufferEncoding | undefined): Uint8Array {
  return typeof chunk === 'string' ? Buffer.from(chunk, encoding) : chunk
}

/** The arguments after a chunk: perhaps an encoding, perhaps a callback. */
export function readWriteArguments([first, second]: readonly unknown[]): {
  readonly encoding: BufferEncoding | undefined
  readonly callback: Callback | undefined
} {
  const callback = typeof first === 'function' ? first : second
  return {
    encoding: typeof first === 'string' ? (first as BufferEncoding) : undefined,
    callback: typeof callback === 'function' ? (callback as Callback) : undefined,
  }
}

type HeadersList = readonly (OutgoingHttpHeader | OutgoingHttpHeader[])[]
type Pair = [name: string, value: string]
type HeadersArgument = OutgoingHttpHeaders | HeadersList | undefined

/** A head as it was given to `writeHead`. */
export interface GivenHead {
  readonly status: number
  readonly message: string
  /** The reason phrase of the handler, empty where it gave none: others may change it until it leaves. */
  readonly reason: string
  readonly headers: HeadersArgument
}

/** Reads the arguments of `writeHead`: a status, perhaps a message, perhaps headers. Undefined for a head that Node refuses. */
export function readHead(
  res: ServerResponse,
  givenStatus: number,
  [first, second]: readonly unknown[],
): GivenHead | undefined {
  // Node takes a text or a fraction too
  const status = Math.trunc(Number(givenStatus))
  const hasReason = typeof first === 'string'
  const hasMessage = !isHttp2(res)
  const reason = hasReason ? first : hasMessage ? res.statusMessage || '' : ''
  const message = hasMessage ? reason || STATUS_CODES[status] || 'unknown' : reason
  const headers = (second ?? (hasReason ? undefined : first) ?? undefined) as HeadersArgument
  return isValidHead(status, message) ? { status, message, reason, headers } : undefined
}

export function setStatus(res: ServerResponse, status: number, message: string): void {
  res.statusCode = status
  if (!isHttp2(res)) res.statusMessage = message
}

/** Headers that Node writes as they are given. */
export type PlainHeaders = Readonly<Record<string, string>>

const PLAIN_NAME = /^[a-z\d-]+$/
/** Characters that Node takes in a header's value and in a reason phrase. */
const FIELD_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/

/** Gives a copy of headers that Node writes as they are; sets any others, as `writeHead` does. */
export function takeHeaders(
  res: ServerResponse,
  headers: HeadersArgument,
  before: OutgoingHttpHeaders,
): PlainHeaders | undefined {
  const plain = plainHeaders(res, headers, before)
  if (!plain) applyHeaders(res, headers)
  return plain
}

/** Undefined beside other headers, where a value is no text or a name is not in lower case, and where the response looks at its own headers. */
function plainHeaders(
  res: ServerResponse,
  headers: HeadersArgument,
  before: OutgoingHttpHeaders,
): PlainHeaders | undefined {
  if (headers === undefined || isList(headers) || isHttp2(res) || res.strictContentLength) return undefined
  if (!isEmpty(before) || res.getHeaderNames().length > 0) return undefined
  const copy = { ...headers }
  for (const name of Object.keys(copy)) {
    const value = copy[name]
    if (typeof value !== 'string' || !PLAIN_NAME.test(name) || !FIELD_VALUE.test(value)) return undefined
  }
  return copy as PlainHeaders
}

/** `Object.entries` takes ten times as long. */
export function plainFields(headers: PlainHeaders): HeaderField[] {
  const fields: HeaderField[] = []
  for (const name in headers) fields.push([name, headers[name] ?? ''])
  return fields
}

function isEmpty(headers: object): boolean {
  for (const _name in headers) return false
  return true
}

/** Sets headers as `writeHead` does: from an object, or from a list in which a name may occur several times. */
export function applyHeaders(res: ServerResponse, headers: HeadersArgument): void {
  if (headers === undefined) return
  const isFirst = res.getHeaderNames().length === 0
  try {
    if (!isList(headers)) {
      for (const [name, value] of Object.entries(headers)) res.setHeader(name, value as OutgoingHttpHeader)
    } else if (isFirst || isHttp2(res)) addList(res, headers)
    else mergeList(res, headers)
  } catch (error) {
    // one that is refused leaves the others behind only where headers were set before
    if (isFirst) restoreHeaders(res, {})
    throw error
  }
}

function addList(res: ServerResponse, headers: HeadersList): void {
  // throws for a list that Node does not take
  if (!isHttp2(res) || !isPairs(headers)) new ServerResponse(res.req).writeHead(200, headers as OutgoingHttpHeader[])
  const pairs = pairsOf(headers)
  for (const [name] of pairs) res.removeHeader(name)
  for (const [name, value] of pairs) res.appendHeader(name, value)
}

/** Lets Node itself add a list to headers that were set before, on a copy: versions of Node differ in what they keep. */
function mergeList(res: ServerResponse, headers: HeadersList): void {
  const copy = new ServerResponse(res.req)
  for (const [name, value] of Object.entries(res.getHeaders())) copy.setHeader(name, value ?? '')
  try {
    copy.writeHead(200, headers as OutgoingHttpHeader[])
  } finally {
    const before = res.getHeaders()
    const kept = copy.getHeaders()
    for (const name in before) if (String(kept[name]) !== String(before[name])) res.removeHeader(name)
    for (const [name, value] of changedHeaders(copy, before)) res.appendHeader(name, value)
  }
}

/** Returns true for a list of pairs, and false for one in which each value stands after its name. */
function isPairs(headers: HeadersList): boolean {
  return Array.isArray(headers[0])
}

function pairsOf(headers: HeadersList): Pair[] {
  if (isPairs(headers)) return headers as Pair[]
  return headers.flatMap((_name, at) => (at % 2 === 0 ? [headers.slice(at, at + 2) as Pair] : []))
}

function isList(headers: HeadersArgument): headers is HeadersList {
  return Array.isArray(headers)
}

function isValidHead(status: number, message: string): boolean {
  return Number.isInteger(status) && status >= 100 && status <= 999 && FIELD_VALUE.test(message)
}

/** Throws as Node does at the end of a response that is strict about its length. */
export function requireDeclaredLength(res: ServerResponse, size: number): void {
  const { statusCode, req } = res
  const hasBody = statusCode !== 204 && statusCode !== 304 && req.method !== 'HEAD'
  const declared = res.getHeader('content-length')
  if (!hasBody || declared === undefined || res.hasHeader('transfer-encoding') || Number(declared) === size) return
  const message = `Response body's content-length of ${size} byte(s) does not match the content-length of ${declared} byte(s) set in header`
  throw Object.assign(new Error(message), { code: 'ERR_HTTP_CONTENT_LENGTH_MISMATCH' })
}

export function concatenate(chunks: readonly Uint8Array[]): Uint8Array {
  const [only] = chunks
  return chunks.length === 1 && only ? only : Buffer.concat(chunks)
}
