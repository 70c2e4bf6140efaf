/** Headers of Node's messages, and responses made of them. */
import type { OutgoingHttpHeader, OutgoingHttpHeaders, ServerResponse } from 'node:http'
import type { HeaderField, HttpResponse } from '../../protocol/exchange.ts'
import { forbidsBody } from '../../protocol/status.ts'

/** Copies a response's headers as they are now. */
export function copyHeaders(res: ServerResponse): OutgoingHttpHeaders {
  const headers = res.getHeaders()
  for (const name in headers) {
    const value = headers[name]
    if (Array.isArray(value)) headers[name] = [...value]
  }
  return headers
}

/** Names as they were written, where the response knows that: HTTP/2 has none but lower-case ones. */
interface RawNames {
  getRawHeaderNames?(): string[]
}

/** Gives the headers that are not what they were before. */
export function changedHeaders(res: ServerResponse, before: OutgoingHttpHeaders): HeaderField[] {
  const names = (res as ServerResponse & RawNames).getRawHeaderNames?.() ?? res.getHeaderNames()
  const changed: HeaderField[] = []
  for (const name of names) {
    const value = res.getHeader(name)
    const lower = name.toLowerCase()
    const isUnchanged = Object.hasOwn(before, lower) && String(value) === String(before[lower])
    if (value !== undefined && !isUnchanged && !lower.startsWith(':')) addField(changed, name, value)
  }
  return changed
}

/** Adds a header of Node, one field for each of its values. */
function addField(fields: HeaderField[], name: string, value: OutgoingHttpHeader): void {
  // Node takes a list of numbers too
  if (Array.isArray(value)) for (const each of value) fields.push([name, String(each)])
  else fields.push([name, String(value)])
}

/** Gives the headers to record: those that changed, and the type of the body, whoever set it. */
export function recordedHeaders(res: ServerResponse, before: OutgoingHttpHeaders): HeaderField[] {
  if (before['content-type'] === undefined) return changedHeaders(res, before)
  const { 'content-type': _, ...others } = before
  return changedHeaders(res, others)
}

/** Gives the names of headers that are not there any more, as a part of a response. */
export function removedHeaders(
  res: ServerResponse,
  before: OutgoingHttpHeaders,
): Pick<HttpResponse, 'removed'> | undefined {
  const removed = Object.keys(before).filter((name) => !res.hasHeader(name))
  return removed.length > 0 ? { removed } : undefined
}

/** Makes the headers what they were before. */
export function restoreHeaders(res: ServerResponse, before: OutgoingHttpHeaders): void {
  for (const name of res.getHeaderNames()) if (!Object.hasOwn(before, name)) res.removeHeader(name)
  for (const [name, value] of Object.entries(before)) {
    // a header that is set again loses the case of its name
    if (value !== undefined && String(res.getHeader(name)) !== String(value)) res.setHeader(name, value)
  }
}

/**
 * Puts the values of a name together; names that occur once stay as they are.
 *
 * @example
 * import { groupFields } from '@retryproof/http/node'
 *
 * groupFields([['Vary', 'Origin'], ['Vary', 'Accept']]) // a Map of Vary to ['Origin', 'Accept']
 */
export function groupFields(headers: readonly HeaderField[]): Iterable<readonly [string, string | string[]]> {
  if (!headers.some(([name], index) => headers.findIndex(([other]) => other === name) < index)) return headers
  const fields = new Map<string, string | string[]>()
  for (const [name, value] of headers) {
    const before = fields.get(name)
    fields.set(name, before === undefined ? value : [before, value].flat())
  }
  return fields
}

/**
 * Sends a whole response.
 *
 * @example
 * import { createServer } from 'node:http'
 * import { sendResponse } from '@retryproof/http/node'
 *
 * createServer((_req, res) => sendResponse(res, { status: 404, headers: [], body: new Uint8Array() }))
 */
export function sendResponse(
  res: ServerResponse,
  { status, headers, removed = [], body }: HttpResponse,
  end = res.end,
): void {
  for (const name of removed) res.removeHeader(name)
  for (const [name, value] of groupFields(headers)) res.setHeader(name, value)
  if (hasLength(res, status)) res.setHeader('Content-Length', body.length)
  res.statusCode = status
  Reflect.apply(end, res, [Buffer.isBuffer(body) ? body : Buffer.from(body.buffer, body.byteOffset, body.length)])
}

/** Tells whether a length is declared: those outside read it who log, compress, or keep a connection of HTTP/1.0. */
function hasLength(res: ServerResponse, status: number): boolean {
  return !forbidsBody(status) && res.req.method !== 'HEAD' && !res.hasHeader('transfer-encoding')
}

/**
 * Gives a signal that aborts when the response is closed, for calls that may wait.
 *
 * @example
 * import { createServer } from 'node:http'
 * import { closeSignal } from '@retryproof/http/node'
 *
 * createServer(async (_req, res) => {
 *   const answer = await fetch('https://example.com', { signal: closeSignal(res) })
 *   res.end(await answer.text())
 * })
 */
export function closeSignal(res: ServerResponse): AbortSignal {
  const controller = new AbortController()
  res.once('close', () => controller.abort('The client went away.'))
  return controller.signal
}
