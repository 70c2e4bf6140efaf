/** Answering before the handler runs. */
import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import type { HttpResponse } from '../../protocol/exchange.ts'
import { copyHeaders, restoreHeaders, sendResponse } from './headers.ts'
import { setClosed } from './hide-disconnect.ts'

/**
 * Sends an answer, and makes the response look as if nobody had answered yet, so that the handler can write to it. What
 * it writes has to be captured: nothing of it leaves.
 */
export async function answerEarly(res: ServerResponse, response: HttpResponse): Promise<void> {
  const before = copyHeaders(res)
  sendResponse(res, response)
  if (!res.destroyed) await once(res, 'close')
  setClosed(res, false)
  Object.assign(res, { _header: null, finished: false })
  restoreHeaders(res, before)
  res.statusCode = 200
  res.statusMessage = ''
}
