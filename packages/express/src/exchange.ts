/** Translates a request of Express for the guard. */
import type { Exchange } from '@retryproof/http'
import { closeSignal, headerFields, requestBody } from '@retryproof/http/node'
import type { Request, RequestHandler, Response } from 'express'
import { routePattern } from './route-pattern.ts'

export function toExchange(req: Request, res: Response, middleware: RequestHandler): Exchange<Request> {
  return {
    method: req.method,
    target: req.originalUrl,
    headers: headerFields(req.rawHeaders),
    ...requestBody(req, parsedBody(req)),
    route: routePattern(req, middleware),
    get signal() {
      return closeSignal(res)
    },
    native: req,
  }
}

/** body-parser 1 leaves `{}` for types that are not its own, and marks with `_body` what it has parsed. */
function parsedBody(req: Request): unknown {
  const { body, _body: isParsed } = req as { readonly body?: unknown; readonly _body?: boolean }
  const isEmpty = typeof body === 'object' && body !== null && Object.keys(body).length === 0
  return isEmpty && !Array.isArray(body) && isParsed !== true ? undefined : body
}
