/** Express 5 and 4: from their requests and responses to an exchange, and back. */
import type { Attempt, Idempotency } from '@retryproof/core'
import { attemptFor, createGuard, type Exchange, type HttpOptions } from '@retryproof/http'
import { type CapturedResponse, captureResponse, headerFields, requestBody, sendResponse } from '@retryproof/http/node'
import type { NextFunction, Request, RequestHandler, Response } from 'express'
import { routePattern } from './route-pattern.ts'

/** What a handler is told besides its request. */
export interface HandlerContext {
  /** `undefined` where the request passed without protection: another method, or no key and none required. */
  readonly attempt: Attempt | undefined
}

/** A handler that is given to `idempotent` instead of coming after it. What it throws goes to Express's error handlers. */
export type IdempotentHandler = (req: Request, res: Response, context: HandlerContext) => unknown

/** The attempt that handles this request; `undefined` where it passed without protection. */
export function attemptOf(req: Request): Attempt | undefined {
  return attemptFor(req)
}

/**
 * Makes a route safe to retry: `app.post('/charges', idempotent(idempotency, { scope }), handler)`.
 *
 * Put it after authentication, which `scope` relies on, and compression before it.
 *
 * @throws InvalidOptionError naming the option and what it must be
 */
export function idempotent(
  idempotency: Pick<Idempotency, 'operation'>,
  options: HttpOptions<Request>,
  handler?: IdempotentHandler,
): RequestHandler {
  const guard = createGuard(idempotency, options)

  /** Errors that come after the answer wait for it to have left, since Express then cuts the connection. */
  function proceed(req: Request, res: Response, next: NextFunction, sent: Promise<void>): void {
    const run = async () => (handler ? handler(req, res, { attempt: attemptFor(req) }) : next())
    run().catch(async (error: unknown) => {
      if (res.writableEnded) await sent
      next(error)
    })
  }

  async function serve(req: Request, res: Response, next: NextFunction): Promise<void> {
    let captured: CapturedResponse | undefined
    let isSent = () => {}
    const sent = new Promise<void>((resolve) => {
      isSent = resolve
    })
    try {
      const decision = await guard.handle(toExchange(req, res, middleware), () => {
        captured = captureResponse(res, guard.options)
        proceed(req, res, next, sent)
        return captured.answered
      })
      if (decision === 'pass') proceed(req, res, next, sent)
      else if (decision === 'own') captured?.release()
      else if (captured) captured.replace(decision)
      else sendResponse(res, decision)
    } catch (error) {
      // a response that the handler destroyed has nobody left to answer
      if (captured?.discard() !== 'destroyed') next(error)
    } finally {
      isSent()
    }
  }

  const middleware: RequestHandler = (req, res, next) => {
    if (guard.covers(req.method)) void serve(req, res, next)
    else proceed(req, res, next, Promise.resolve())
  }
  return middleware
}

function toExchange(req: Request, res: Response, middleware: RequestHandler): Exchange<Request> {
  return {
    method: req.method,
    target: req.originalUrl,
    headers: headerFields(req.rawHeaders),
    ...requestBody(req, req.body),
    route: routePattern(req, middleware),
    get signal() {
      const controller = new AbortController()
      res.once('close', () => controller.abort())
      return controller.signal
    },
    native: req,
  }
}
