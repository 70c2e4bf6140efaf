/** Headers of Node's messages, and responses made of them. */
import type { OutgoingHttpHeaders, ServerResponse } from 'node:http'
import type { HeaderField, HttpResponse } from '../../protocol/exchange.ts'

/** A response's headers as they are now. */
export function copyHeaders(res: ServerResponse): OutgoingHttpHeaders {
  const headers = res.getHeaders()
  for (const name in headers) {
    const value = headers[name]
    if (Array.isArray(value)) headers[name] = [...value]
  }
  return headers
}

/** Every Node has it, its types do not. */
interface RawNames {
  getRawHeaderNames(): string[]
}

/** The headers that are not what they were before. */
export function changedHeaders(res: ServerResponse, before: OutgoingHttpHeaders): HeaderField[] {
  return (res as ServerResponse & RawNames).getRawHeaderNames().flatMap((name): HeaderField[] => {
    const value = res.getHeader(name)
    if (value === undefined || String(value) === String(before[name.toLowerCase()])) return []
    return Array.isArray(value) ? value.map((each) => [name, each]) : [[name, String(value)]]
  })
}

/** Makes the headers what they were before. */
export function restoreHeaders(res: ServerResponse, before: OutgoingHttpHeaders): void {
  for (const name of res.getHeaderNames()) if (!Object.hasOwn(before, name)) res.removeHeader(name)
  for (const [name, value] of Object.entries(before)) if (value !== undefined) res.setHeader(name, value)
}

/** Sends a whole response. */
export function sendResponse(res: ServerResponse, { status, headers, body }: HttpResponse, end = res.end): void {
  const fields = new Map<string, string[]>()
  for (const [name, value] of headers) fields.set(name, [...(fields.get(name) ?? []), value])
  for (const [name, values] of fields) res.setHeader(name, values.length > 1 ? values : (values[0] ?? ''))
  res.statusCode = status
  Reflect.apply(end, res, [body])
}
