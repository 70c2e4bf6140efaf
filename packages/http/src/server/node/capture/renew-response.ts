/** Makes a response that has been sent look as if nobody had answered yet. */
import type { OutgoingHttpHeader, OutgoingHttpHeaders, ServerResponse } from 'node:http'
import { restoreHeaders } from '../headers.ts'
import { detach } from './disconnect/hide-disconnect.ts'
import { isHttp2 } from './response-seal.ts'
import { expectCapture } from './take-methods.ts'

/**
 * Renews it at once, or once an answer has left that somebody outside ends later, such as middleware that saves a session first: its end
 * would write into the next. Waits no longer than for `work`.
 */
export function renewOnceSent(
  res: ServerResponse,
  before: OutgoingHttpHeaders,
  work: Promise<unknown>,
): Promise<void> | undefined {
  expectCapture(res)
  if (!res.writableEnded && !res.destroyed) {
    const sent = new Promise<void>((resolve) => void res.once('finish', resolve).once('close', resolve))
    return Promise.race([sent, work]).then(() => renewResponse(res, before))
  }
  renewResponse(res, before)
  return undefined
}

/** @param before the headers that it is to have */
export function renewResponse(res: ServerResponse, before: OutgoingHttpHeaders): void {
  if (isHttp2(res)) {
    Object.setPrototypeOf(res, Object.create(Object.getPrototypeOf(res) as object, withoutStream(before)))
    return
  }
  detach(res)
  Object.assign(res, { _header: null, finished: false })
  restoreHeaders(res, before)
  res.statusCode = 200
  res.statusMessage = ''
}

/** The members of a response that has no stream any more: nothing is sent, and headers can be set. */
function withoutStream(before: OutgoingHttpHeaders): PropertyDescriptorMap {
  const headers = new Map(Object.entries(before).map(([name, value]) => [name.toLowerCase(), value]))
  const members: Partial<ServerResponse> & ThisType<ServerResponse> = {
    getHeader: (name) => headers.get(name.toLowerCase()),
    getHeaders: () => Object.fromEntries(headers),
    getHeaderNames: () => [...headers.keys()],
    hasHeader: (name) => headers.has(name.toLowerCase()),
    removeHeader: (name) => void headers.delete(name.toLowerCase()),
    setHeader(name: string, value: OutgoingHttpHeader) {
      headers.set(name.toLowerCase(), value)
      return this as ServerResponse
    },
    appendHeader(name, value) {
      const lower = name.toLowerCase()
      headers.set(lower, [headers.get(lower) ?? [], value].flat().map(String))
      return this as ServerResponse
    },
  }
  const fields = {
    ...members,
    statusCode: 200,
    headersSent: false,
    _header: false,
    writableEnded: false,
    finished: false,
  }
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [name, { configurable: true, writable: true, value }]),
  )
}
