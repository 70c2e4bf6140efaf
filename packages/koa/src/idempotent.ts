/** Koa 3 and 2. */
import { attemptFor, createGuard, type Guarding, type HandlerAttempt, type HttpOptions } from '@retryproof/http'
import { type NodeBinding, passOnNode, sendResponse, serveNode } from '@retryproof/http/node'
import type { Context, Middleware } from 'koa'
import { answerLeft, type Running } from './answer-left.ts'
import { answerBefore, keepAnswering, putResponse } from './context-response.ts'
import type { IdempotentHandler, TransactionHandler } from './handlers.ts'
import { ownMethod, toExchange } from './to-exchange.ts'

/**
 * Gives the attempt that handles this request; `undefined` where it passed without protection.
 *
 * @example
 * import { attemptOf } from '@retryproof/koa'
 * import Koa from 'koa'
 *
 * new Koa().use((ctx) => {
 *   ctx.body = { attempt: attemptOf(ctx)?.number }
 * })
 */
export function attemptOf(ctx: Context): HandlerAttempt | undefined {
  return attemptFor(ctx)
}

/**
 * Makes a route safe to retry. It stands after authentication, on which `scope` relies, and after compression.
 *
 * @throws {@link IdempotencyInvalidOptionError} when an option is not what it must be
 *
 * @example
 * import { Router } from '@koa/router'
 * import { createIdempotency } from '@retryproof/core'
 * import { idempotent } from '@retryproof/koa'
 * import { memoryStore } from '@retryproof/memory'
 *
 * const idempotency = createIdempotency({ store: memoryStore(), namespace: 'payments' })
 * const guard = idempotent(idempotency, { scope: (ctx) => ctx.get('x-user') })
 * new Router().post('/charges', guard, (ctx) => {
 *   ctx.body = { charged: true }
 * })
 */
export function idempotent<Tx>(
  idempotency: Guarding<Tx>,
  options: HttpOptions<Context> & { readonly transaction: true },
  handler: TransactionHandler<Tx>,
): Middleware
export function idempotent<Tx>(
  idempotency: Guarding<Tx>,
  options: HttpOptions<Context>,
  handler?: IdempotentHandler,
): Middleware
export function idempotent<Tx>(
  idempotency: Guarding<Tx>,
  options: HttpOptions<Context>,
  handler?: IdempotentHandler<never>,
): Middleware {
  const guard = createGuard<Context, Tx>(idempotency, options, { hasHandler: handler !== undefined })

  const middleware: Middleware = (ctx, next) =>
    // settles as the handler does: middleware outside, and then Koa, go on with what the context has
    new Promise<void>((resolve, reject) => {
      const before = answerBefore(ctx)
      let hasFailed = false
      let isLeft = false
      let hasGoneOn = false
      let running: Running | undefined
      function goOn() {
        hasGoneOn = true
        isLeft = false
        resolve()
      }
      const binding: NodeBinding<Tx> = {
        req: ctx.req,
        async run(tx) {
          if (hasGoneOn) throw new Error('A transaction conflicted when Koa had gone on already.')
          if (handler) await handler(ctx, { attempt: attemptFor(ctx), tx } as never)
          else await next()
          const left = running && (await answerLeft(ctx, before.headers, running))
          isLeft = left !== undefined
          // Koa writes nothing past a complete answer, nor past a handler that keeps it from answering: that may run again
          const isPastKoa = ctx.res.writableEnded || (tx !== undefined && ctx.respond === false)
          if (!left && !isPastKoa) goOn()
          return left
        },
        goOn,
        fail(error) {
          hasFailed = true
          isLeft = false
          if (hasGoneOn) ctx.onerror(error as Error)
          else reject(error)
        },
        send(response) {
          if (hasGoneOn) return sendResponse(ctx.res, response)
          putResponse(ctx, response)
          goOn()
        },
        begin({ limits }, attempt) {
          running = { limits, attempt }
        },
        watchErrors({ onError }) {
          isLeft = false
          keepAnswering(
            ctx,
            onError,
            () => isLeft,
            () => hasFailed,
          )
        },
        reset: before.restore,
        recordable: ({ response, replayable }) => ({ response: { form: 'written', ...response }, replayable }),
        renew() {
          // past Koa, the handler itself has answered
          if (ctx.respond !== false) before.restore()
        },
      }
      if (guard.covers(ctx.method, () => ownMethod(ctx, middleware)))
        void serveNode(guard, toExchange(ctx, middleware), ctx.res, binding)
      else void passOnNode(guard, ctx, ctx.res, binding)
    })
  return middleware
}
