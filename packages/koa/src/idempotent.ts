/** Koa: from its contexts to an exchange, and back. */
import { notStarted } from '@retryproof/core'
import {
  answered,
  attemptFor,
  changedFields,
  createGuard,
  type Guarding,
  type HandlerAnswer,
  type HandlerAttempt,
  type HttpOptions,
  threw,
} from '@retryproof/http'
import { answerEarly, type CapturedResponse, captureResponse, isBodyLost, lostBody } from '@retryproof/http/node'
import type { Context, Middleware, Next } from 'koa'
import { type HeldContext, headersOf, holdContext, putResponse, resetContext } from './context-response.ts'
import { type Answering, endPassing, endWritten, unlessGone } from './endings.ts'
import type { IdempotentHandler, TransactionHandler } from './handlers.ts'
import { ownMethod, toExchange } from './to-exchange.ts'

/**
 * The attempt that handles this request; `undefined` where it passed without protection.
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
 * Makes a route safe to retry: `router.post('/charges', idempotent(idempotency, { scope }), handler)`.
 *
 * Put it after authentication, which `scope` relies on, and compression before it.
 *
 * @example
 * import Router from '@koa/router'
 * import { idempotent } from '@retryproof/koa'
 *
 * const guard = idempotent(idempotency, { scope: (ctx) => ctx.get('x-user') })
 * new Router().post('/charges', guard, (ctx) => {
 *   ctx.body = { charged: true }
 * })
 *
 * @throws IdempotencyInvalidOptionError naming the option and what it must be
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

  async function proceed(ctx: Context, next: Next, tx?: Tx): Promise<void> {
    try {
      if (handler) await handler(ctx, { attempt: attemptFor(ctx), tx } as never)
      else await next()
    } catch (error) {
      const refusal = guard.refusalOf(error, ctx)
      if (!refusal) throw error
      putResponse(ctx, refusal)
    }
  }

  async function serve(ctx: Context, next: Next, koa: Answering): Promise<void> {
    const before = headersOf(ctx)
    let captured: CapturedResponse | undefined
    let held: HeldContext | undefined

    /** Of a handler that wrote to Node's response, or threw, which middleware outside makes an answer of. */
    async function writtenAnswer(written: Promise<HandlerAnswer>): Promise<HandlerAnswer> {
      const { response, replayable } = await written
      return { response: { ...response, headers: changedFields(response.headers, before) }, replayable }
    }

    try {
      const decision = await guard.handle(toExchange(ctx, middleware), {
        async execute({ signal }, { tx, limits }) {
          if (isBodyLost(ctx.req)) throw notStarted(lostBody())
          // an attempt that a conflict undid
          if (captured?.discard() === 'reset') resetContext(ctx, before)
          held = undefined
          captured = captureResponse(ctx.res, { ...limits, signal })
          // the end of the handler decides whether anybody asks
          captured.answered.catch(() => undefined)
          try {
            await proceed(ctx, next, tx)
          } catch (error) {
            if (isBodyLost(ctx.req)) throw error
            const { answered: written } = captured
            // middleware outside, or Koa itself, answers: in a transaction after its rollback
            return threw(error, async () => {
              koa.fail(error)
              return writtenAnswer(unlessGone(ctx, written, error))
            })
          }
          if (ctx.respond === false || ctx.headerSent) {
            koa.answer()
            return answered(await writtenAnswer(captured.answered))
          }
          // a parser that found no body is answered for by nobody
          if (ctx.status >= 400 && isBodyLost(ctx.req)) throw lostBody()
          held = await holdContext(ctx, before, limits, signal)
          if (held.passing) koa.answer()
          await held.passing?.ended
          return answered(held.answer)
        },
        async answerEarly(response) {
          await answerEarly(ctx.res, response)
        },
      })
      if (decision.kind === 'pass') await proceed(ctx, next)
      else if (held?.passing) endPassing(held.passing, decision)
      else if (captured && !held) endWritten(captured, decision)
      else if (decision.kind === 'own') ctx.set(Object.fromEntries(decision.headers))
      else if (decision.kind === 'send') {
        if (held) resetContext(ctx, before)
        putResponse(ctx, decision.response)
      }
      koa.answer()
      if (held && decision.kind !== 'sent') captured?.answered.then(() => captured?.release()).catch(() => undefined)
    } catch (error) {
      held?.passing?.cut(error as Error)
      captured?.discard()
      // Koa 2 would leave the client waiting
      if (held?.passing) ctx.res.destroy()
      koa.fail(error)
    }
  }

  const middleware: Middleware = (ctx, next) => {
    if (!guard.covers(ctx.method, ownMethod(ctx, middleware))) return proceed(ctx, next)
    return new Promise<void>((answer, fail) => void serve(ctx, next, { answer, fail }))
  }
  return middleware
}
