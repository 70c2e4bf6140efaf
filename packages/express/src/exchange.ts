/** A request of Express, as the guard sees it. */
import type { Exchange } from '@retryproof/http'
import { headerFields, requestBody } from '@retryproof/http/node'
import type { Request, RequestHandler, Response } from 'express'
import { routePattern } from './route-pattern.ts'

export function toExchange(req: Request, res: Response, middleware: RequestHandler): Exchange<Request> {
  return {
    method: req.method,
    target: req.originalUrl,
    headers: headerFields(req.rawHeaders),
    ...requestBody(req, req.body),
    route: routePattern(req, middleware),
    get signal() {
      const controller = new AbortController()
      res.once('close', () => controller.abort('The client went away.'))
      return controller.signal
    },
    native: req,
  }
}
