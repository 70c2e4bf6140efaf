/** Serving the answers of operations that were answered with 202. */
import type { StatusResource } from '@retryproof/http'
import { toResponse } from '@retryproof/http/fetch'
import type { Context, Handler } from 'hono'

/** `app.get('/operations/:id', serveStatus(status))`, behind the authentication of the operations themselves. */
export function serveStatus(status: StatusResource<Context>): Handler {
  return async (c) => toResponse(await status.answer(c.req.param('id') ?? '', c))
}
