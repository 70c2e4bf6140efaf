/** Hono: from its contexts to an exchange, and back. */
import {
  answered,
  attemptFor,
  createGuard,
  type Guarding,
  type HandlerAttempt,
  type HeaderField,
  type HttpOptions,
  PreconditionError,
} from '@retryproof/http'
import { type HeldResponse, holdResponse, toldResponse, toResponse } from '@retryproof/http/fetch'
import type { Context, MiddlewareHandler, Next } from 'hono'
import type { IdempotentHandler, TransactionHandler } from './handlers.ts'
import { noteBodies } from './made-bodies.ts'
import { toExchange } from './to-exchange.ts'
import { waitUntil } from './wait-until.ts'

const REPLACED = 'Another answer was recorded while this one left: it is cut, so that nobody takes it for complete.'

/** The attempt that handles this request; `undefined` where it passed without protection. */
export function attemptOf(c: Context): HandlerAttempt | undefined {
  return attemptFor(c)
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
  options: HttpOptions<Context> & { readonly transaction: true },
  handler: TransactionHandler<Tx>,
): MiddlewareHandler
export function idempotent<Tx>(
  idempotency: Guarding<Tx>,
  options: HttpOptions<Context>,
  handler?: IdempotentHandler,
): MiddlewareHandler
export function idempotent<Tx>(
  idempotency: Guarding<Tx>,
  options: HttpOptions<Context>,
  handler?: IdempotentHandler<never>,
): MiddlewareHandler {
  const guard = createGuard<Context, Tx>(idempotency, options, { hasHandler: handler !== undefined })

  async function proceed(c: Context, next: Next, tx?: Tx): Promise<void> {
    try {
      if (handler) setResponse(c, await handler(c, { attempt: attemptFor(c), tx } as never))
      else await next()
      if (c.error instanceof PreconditionError) throw c.error
    } catch (error) {
      if (!(error instanceof PreconditionError)) throw error
      setResponse(c, toResponse(error.response, headersOf(c)))
    }
  }

  /** @param answer lets the response go that the context has */
  async function serve(c: Context, next: Next, answer: () => void): Promise<void> {
    const before = headersOf(c)
    let held: HeldResponse | undefined
    try {
      const decision = await guard.handle(toExchange(c), {
        async execute(attempt, { tx, limits }) {
          // what was there before: an early answer, or that of an attempt that a conflict undid
          if (c.finalized) Object.assign(c, { res: undefined, finalized: false })
          const bodyOf = noteBodies(c)
          await proceed(c, next, tx)
          const holding = { method: c.req.method, limits, before, made: bodyOf(c.res) }
          held = await holdResponse(c.res, { ...holding, signal: attempt.signal })
          if (held.passing) {
            setResponse(c, held.response())
            answer()
            await held.passing.ended
          }
          return answered(held.answer)
        },
        answerEarly(response) {
          return new Promise((resolve) => {
            setResponse(c, toldResponse(response, resolve))
            answer()
          })
        },
      })
      if (decision.kind === 'pass') await proceed(c, next)
      else if (decision.kind === 'own' && held?.passing) held.passing.end()
      else if (decision.kind === 'own' && held) setResponse(c, held.response(decision.headers))
      else if (decision.kind === 'send' && held?.passing) held.passing.cut(new Error(REPLACED))
      else if (decision.kind === 'send') setResponse(c, toResponse(decision.response, before))
      answer()
    } catch (error) {
      held?.passing?.cut(error as Error)
      throw error
    }
  }

  return (c, next) => {
    if (!guard.covers(c.req.method)) return proceed(c, next)
    return new Promise<void>((resolve, reject) => {
      const work = serve(c, next, resolve)
      work.catch(reject)
      waitUntil(c, work)
    })
  }
}

/** Replaces what the context has, where Hono would add to it. */
function setResponse(c: Context, response: Response): void {
  c.res = undefined
  c.res = response
}

/** Headers that were set so far. Asking for `c.res` would make Hono copy the response that comes. */
function headersOf(c: Context): HeaderField[] {
  return [...c.newResponse(null).headers]
}
