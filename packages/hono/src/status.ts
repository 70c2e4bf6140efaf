/** Serving the answers of operations that were answered with 202. */
import type { StatusResource } from '@retryproof/http'
import { toResponse } from '@retryproof/http/fetch'
import type { Context, Handler } from 'hono'

/**
 * Serves the answers of operations that were answered with 202, behind the authentication of the operations themselves.
 *
 * @example
 * import { unscoped } from '@retryproof/core'
 * import { serveStatus } from '@retryproof/hono'
 * import { statusResource } from '@retryproof/http/status'
 * import { type Context, Hono } from 'hono'
 *
 * const status = statusResource<Context>(idempotency, { path: '/operations', scope: unscoped, secret })
 * new Hono().get('/operations/:id', serveStatus(status))
 */
export function serveStatus(status: StatusResource<Context>): Handler {
  return async (c) => toResponse(await status.answer(c.req.param('id') ?? '', c))
}
