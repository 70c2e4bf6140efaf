/** Serving the answers of operations that were answered with 202. */
import type { StatusResource } from '@retryproof/http'
import type { Context, Middleware } from 'koa'
import { putResponse } from './context-response.ts'

/** `router.get('/operations/:id', serveStatus(status))`, behind the authentication of the operations themselves. */
export function serveStatus(status: StatusResource<Context>): Middleware {
  return async (ctx: Context) => putResponse(ctx, await status.answer(String(ctx.params.id), ctx))
}
