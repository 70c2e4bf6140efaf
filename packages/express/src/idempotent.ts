/** Express 5 and 4. */
import { notStarted } from '@retryproof/core'
import {
  answered,
  attemptFor,
  createGuard,
  type Guarding,
  type HandlerAttempt,
  type HttpOptions,
  PreconditionError,
} from '@retryproof/http'
import {
  answerEarly,
  type CapturedResponse,
  captureResponse,
  isBodyLost,
  lostBody,
  sendResponse,
} from '@retryproof/http/node'
import type { NextFunction, Request, RequestHandler, Response } from 'express'
import { toExchange } from './exchange.ts'
import type { IdempotentHandler, TransactionHandler } from './handlers.ts'

/** The attempt that handles this request; `undefined` where it passed without protection. */
export function attemptOf(req: Request): HandlerAttempt | undefined {
  return attemptFor(req)
}

/**
 * Makes a route safe to retry: `app.post('/charges', idempotent(idempotency, { scope }), handler)`.
 *
 * Put it after authentication, which `scope` relies on, and compression before it.
 *
 * @throws IdempotencyInvalidOptionError naming the option and what it must be
 */
export function idempotent<Tx>(
  idempotency: Guarding<Tx>,
  options: HttpOptions<Request> & { readonly transaction: true },
  handler: TransactionHandler<Tx>,
): RequestHandler
export function idempotent<Tx>(
  idempotency: Guarding<Tx>,
  options: HttpOptions<Request>,
  handler?: IdempotentHandler,
): RequestHandler
export function idempotent<Tx>(
  idempotency: Guarding<Tx>,
  options: HttpOptions<Request>,
  handler?: (req: Request, res: Response, context: never) => unknown,
): RequestHandler {
  const guard = createGuard<Request, Tx>(idempotency, options, { hasHandler: handler !== undefined })

  /** Resolves when the handler is done; what it throws is Express's. After its end, an answer leaves before that is told. */
  async function proceed(
    req: Request,
    res: Response,
    next: NextFunction,
    sent?: Promise<void>,
    tx?: Tx,
  ): Promise<void> {
    try {
      if (handler) await handler(req, res, { attempt: attemptFor(req), tx } as never)
      else next()
    } catch (error) {
      if (res.writableEnded && tx !== undefined) throw error
      if (res.writableEnded) await sent
      if (error instanceof PreconditionError && !res.headersSent) sendResponse(res, error.response)
      else next(error)
    }
  }

  async function serve(req: Request, res: Response, next: NextFunction): Promise<void> {
    let captured: CapturedResponse | undefined
    let isSent = () => {}
    const sent = new Promise<void>((resolve) => {
      isSent = resolve
    })
    try {
      const decision = await guard.handle(toExchange(req, res, middleware), {
        async execute({ signal }, { tx, limits }) {
          if (isBodyLost(req)) throw notStarted(lostBody())
          captured?.discard()
          captured = captureResponse(res, { ...limits, signal })
          const done = proceed(req, res, next, sent, tx)
          const [answer] = await Promise.all([captured.answered, tx === undefined ? undefined : done])
          // a parser that found no body is answered for by nobody
          if (answer.response.status >= 400 && isBodyLost(req)) throw lostBody()
          return answered(answer)
        },
        answerEarly: (response) => answerEarly(res, response),
      })
      if (decision.kind === 'pass') await proceed(req, res, next)
      else if (decision.kind === 'own') captured?.release(decision.headers)
      else if (decision.kind === 'send' && captured) captured.replace(decision.response)
      else if (decision.kind === 'send') sendResponse(res, decision.response)
    } catch (error) {
      // a response that the handler destroyed has nobody left to answer
      if (captured?.discard() !== 'destroyed') next(error)
    } finally {
      isSent()
    }
  }

  const middleware: RequestHandler = (req, res, next) => {
    void (guard.covers(req.method) ? serve(req, res, next) : proceed(req, res, next))
  }
  return middleware
}
