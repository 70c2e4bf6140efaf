/** Translates a request of Express for the guard. */
import type { Exchange, RequestBody } from '@retryproof/http'
import { closeSignal, givenBody, headerFields } from '@retryproof/http/node'
import type { Request, RequestHandler, Response } from 'express'
import { routePattern } from './route-pattern.ts'

export function toExchange(req: Request, res: Response, middleware: RequestHandler): Exchange<Request> {
  return {
    method: req.method,
    target: req.originalUrl,
    headers: headerFields(req),
    ...bodyOf(req),
    route: routePattern(req, middleware),
    signal: () => closeSignal(res),
    native: req,
  }
}

/** Members that parsers leave on a request, besides the body. */
interface Left {
  readonly rawBody?: unknown
  readonly file?: unknown
  readonly files?: unknown
}

function bodyOf(req: Request): RequestBody {
  const { rawBody: raw, file, files } = req as Left
  return givenBody(req, { parsed: req.body as unknown, raw, files: [file, files] })
}
