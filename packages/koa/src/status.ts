/** Serving the answers of operations that were answered with 202. */
import type { StatusResource } from '@retryproof/http'
import type { Context, Middleware } from 'koa'
import { putResponse } from './context-response.ts'

/**
 * Serves the answers of operations that were answered with 202, behind the authentication of the operations themselves.
 *
 * @example
 * import Router from '@koa/router'
 * import { unscoped } from '@retryproof/core'
 * import { statusResource } from '@retryproof/http/status'
 * import { serveStatus } from '@retryproof/koa'
 * import type { Context } from 'koa'
 *
 * const status = statusResource<Context>(idempotency, { path: '/operations', scope: unscoped, secret })
 * new Router().get('/operations/:id', serveStatus(status))
 */
export function serveStatus(status: StatusResource<Context>): Middleware {
  return async (ctx: Context) => putResponse(ctx, await status.answer(String(ctx.params.id), ctx))
}
