/** Answers before the handler runs. */
import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import type { Http2ServerResponse, ServerHttp2Stream } from 'node:http2'
import type { HttpResponse } from '../../protocol/exchange.ts'
import { renewResponse } from './capture/renew-response.ts'
import { isHttp2 } from './capture/response-seal.ts'
import { copyHeaders, sendResponse } from './headers.ts'

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
  const left = isHttp2(res) ? whenLeft((res as unknown as Http2ServerResponse).stream) : undefined
  sendResponse(res, response)
  await (left ?? (res.destroyed || once(res, 'close')))
  renewResponse(res, before)
}

function whenLeft(stream: ServerHttp2Stream): Promise<void> {
  return new Promise((resolve) => {
    if (stream.destroyed) resolve()
    else stream.once('finish', resolve).once('close', resolve)
  })
}
