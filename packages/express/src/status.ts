/** Serving the answers of operations that were answered with 202. */
import type { StatusResource } from '@retryproof/http'
import { sendResponse } from '@retryproof/http/node'
import type { Request, RequestHandler } from 'express'

/**
 * Serves the answers of operations that were answered with 202, behind the authentication of the operations themselves.
 *
 * @example
 * import { unscoped } from '@retryproof/core'
 * import { serveStatus } from '@retryproof/express'
 * import { statusResource } from '@retryproof/http/status'
 * import express from 'express'
 *
 * const status = statusResource<express.Request>(idempotency, { path: '/operations', scope: unscoped, secret })
 * express().get('/operations/:id', serveStatus(status))
 */
export function serveStatus(status: StatusResource<Request>): RequestHandler {
  return (req, res, next) => {
    status.answer(String(req.params.id), req).then((response) => sendResponse(res, response), next)
  }
}
