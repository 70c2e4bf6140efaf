/** Express 5 and 4. */

import { isPlain, warn } from '@retryproof/core/internal'
import { attemptFor, createGuard, type Guarding, type HandlerAttempt, type HttpOptions } from '@retryproof/http'
import { type NodeBinding, passOnNode, sendResponse, serveNode } from '@retryproof/http/node'
import type { Request, RequestHandler, Response } from 'express'
import { toExchange } from './exchange.ts'
import type { IdempotentHandler, TransactionHandler } from './handlers.ts'
import { ownMethod } from './route-pattern.ts'
import { type WatchedLayers, watchErrors } from './watch-layers.ts'

/**
 * Gives the attempt that handles this request; `undefined` where it passed without protection.
 *
 * @example
 * import { attemptOf } from '@retryproof/express'
 * import express from 'express'
 *
 * express().post('/charges', (req, res) => res.json({ attempt: attemptOf(req)?.number }))
 */
export function attemptOf(req: Request): HandlerAttempt | undefined {
  return attemptFor(req)
}

/**
 * Makes a route safe to retry. It stands after authentication, on which `scope` relies, and after compression.
 *
 * @throws {@link IdempotencyInvalidOptionError} when an option is not what it must be
 *
 * @example
 * import { createIdempotency } from '@retryproof/core'
 * import { idempotent } from '@retryproof/express'
 * import { memoryStore } from '@retryproof/memory'
 * import express from 'express'
 *
 * const idempotency = createIdempotency({ store: memoryStore(), namespace: 'payments' })
 * const guard = idempotent(idempotency, { scope: (req) => req.get('x-user') ?? [] })
 * express().post('/charges', guard, (_req, res) => res.status(201).json({ charged: true }))
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

  let hasWarned = false
  const middleware: RequestHandler = (req, res, next) => {
    let layers: WatchedLayers | undefined
    const binding: NodeBinding<Tx> = {
      req,
      async run(tx) {
        if (!handler) return next()
        const returned = await handler(req, res, { attempt: attemptFor(req), tx } as never)
        if (hasWarned || !isAnswerLost(returned, res)) return
        hasWarned = true
        warn(`${req.method} ${req.baseUrl}${req.path}: ${LOST}`)
      },
      // as Express does for what is thrown without a value: `next(undefined)` would go on as if nothing had happened
      fail: (error) => next(error || new Error('Rejected promise')),
      send: (response) => sendResponse(res, response),
      watchErrors(listeners) {
        layers = watchErrors(req, listeners)
      },
      // the promise of a given handler tells more
      working: () => (handler ? undefined : layers?.working()),
    }
    if (guard.covers(req.method, () => ownMethod(req, middleware)))
      void serveNode(guard, toExchange(req, res, middleware), res, binding)
    else void passOnNode(guard, req, res, binding)
  }
  return middleware
}

const LOST =
  'a handler returned a value and has not answered. Express sends no returned value, so call res.json(value): until it answers, the key stays in progress, for at most `maxRun`.'

/** Tells a value that was meant as an answer, as in other frameworks: what a timer or a stream returns is no plain value. */
function isAnswerLost(returned: unknown, res: Response): boolean {
  if (res.headersSent) return false
  if (typeof returned !== 'object' || returned === null) return typeof returned === 'string'
  return Array.isArray(returned) || isPlain(returned)
}
