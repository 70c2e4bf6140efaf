/** Answers before the handler runs. */
import { once } from 'node:events'
import type { OutgoingHttpHeader, OutgoingHttpHeaders, ServerResponse } from 'node:http'
import type { Http2ServerResponse } from 'node:http2'
import type { HttpResponse } from '../../protocol/exchange.ts'
import { detach } from './capture/hide-disconnect.ts'
import { isHttp2 } from './capture/response-seal.ts'
import { copyHeaders, restoreHeaders, sendResponse } from './headers.ts'

/**
 * Sends an answer, and makes the response look as if nobody had answered yet, so that the handler can write to it. All
 * that it writes has to be captured: nothing of it leaves.
 *
 * @example
 * import { createServer } from 'node:http'
 * import { answerEarly, captureResponse } from '@retryproof/http/node'
 *
 * createServer(async (_req, res) => {
 *   await answerEarly(res, { status: 202, headers: [], body: new Uint8Array() })
 *   const captured = captureResponse(res, { maxResponseBytes: 2 ** 20, stream: false, whole: true })
 *   res.end('recorded, and not sent')
 *   console.log((await captured.answered).response.status)
 * })
 */
export async function answerEarly(res: ServerResponse, response: HttpResponse): Promise<void> {
  const before = copyHeaders(res)
  if (isHttp2(res)) return answerEarlyOnHttp2(res, response, before)
  sendResponse(res, response)
  if (!res.destroyed) await once(res, 'close')
  detach(res)
  Object.assign(res, { _header: null, finished: false })
  restoreHeaders(res, before)
  res.statusCode = 200
  res.statusMessage = ''
}

async function answerEarlyOnHttp2(
  res: ServerResponse,
  response: HttpResponse,
  before: OutgoingHttpHeaders,
): Promise<void> {
  const { stream } = res as unknown as Http2ServerResponse
  const left = new Promise<void>((resolve) => stream.once('finish', resolve).once('close', resolve))
  sendResponse(res, response)
  if (!stream.destroyed) await left
  Object.setPrototypeOf(res, Object.create(Object.getPrototypeOf(res) as object, withoutStream(before)))
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
