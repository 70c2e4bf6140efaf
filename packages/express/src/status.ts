/** Serving the answers of operations that were answered with 202. */
import type { StatusResource } from '@retryproof/http'
import { sendResponse } from '@retryproof/http/node'
import type { Request, RequestHandler } from 'express'

/** `app.get('/operations/:id', serveStatus(status))`, behind the authentication of the operations themselves. */
export function serveStatus(status: StatusResource<Request>): RequestHandler {
  return (req, res, next) => {
    status.answer(String(req.params.id), req).then((response) => sendResponse(res, response), next)
  }
}
