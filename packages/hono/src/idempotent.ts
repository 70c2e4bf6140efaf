/** The middleware of Hono: from its contexts to a guard, and back. */
import { createGuard, type Guarding, type HeaderField, type HttpOptions } from '@retryproof/http'
import {
  type FetchEnd,
  type FetchServer,
  keepBody,
  type MadeBody,
  serveFetch,
  servePassing,
  toldResponse,
} from '@retryproof/http/fetch'
import type { Context, MiddlewareHandler, Next } from 'hono'
import type { StatusCode } from 'hono/utils/http-status'
import { watchAnswers } from './answer-outside.ts'
import type { IdempotencyEnv, IdempotentHandler, TransactionHandler } from './handlers.ts'
import { incomingOf } from './incoming.ts'
import { type MadeResponse, noteBodies } from './made-bodies.ts'
import { isAlone, ownMethod, toExchange } from './to-exchange.ts'
import { waitUntil } from './wait-until.ts'

/**
 * Makes a route safe to retry. Stands after authentication, which `scope` relies on, and after compression.
 *
 * @throws {@link IdempotencyInvalidOptionError} when an option is missing, unknown or out of range
 *
 * @example
 * import { createIdempotency, unscoped } from '@retryproof/core'
 * import { idempotent } from '@retryproof/hono'
 * import { memoryStore } from '@retryproof/memory'
 * import { Hono } from 'hono'
 *
 * const idempotency = createIdempotency({ store: memoryStore(), namespace: 'payments' })
 * const app = new Hono()
 * app.post('/charges', idempotent(idempotency, { scope: unscoped }), async (c) => {
 *   const providerKey = c.get('idempotency')?.keyFor('charge')
 *   return c.json({ charged: 100, providerKey }, 201)
 * })
 */
export function idempotent<Tx>(
  idempotency: Guarding<Tx>,
  options: HttpOptions<Context> & { readonly transaction: true },
  handler: TransactionHandler<Tx>,
): MiddlewareHandler<IdempotencyEnv>
export function idempotent<Tx>(
  idempotency: Guarding<Tx>,
  options: HttpOptions<Context>,
  handler?: IdempotentHandler,
): MiddlewareHandler<IdempotencyEnv>
export function idempotent<Tx>(
  idempotency: Guarding<Tx>,
  options: HttpOptions<Context>,
  handler?: IdempotentHandler<never>,
): MiddlewareHandler<IdempotencyEnv> {
  const guard = createGuard<Context, Tx>(idempotency, options, { hasHandler: handler !== undefined })
  return (c, next) =>
    new Promise<void>((resolve, reject) => {
      const server = serverOf(c, next, handler, resolve)
      if (!guard.covers(c.req.method, () => ownMethod(c))) return servePassing(guard, c, server).catch(reject)
      const work = serveFetch(guard, toExchange(c), server)
      work.catch(reject)
      waitUntil(c, work)
    })
}

/** @param done lets the answer go that the context has */
function serverOf<Tx>(
  c: Context,
  next: Next,
  handler: IdempotentHandler<never> | undefined,
  done: () => void,
): FetchServer<Tx> {
  // set so far; asking for `c.res` would make Hono copy the response that comes
  const { status, headers } = c.newResponse(null)
  const before = [...headers]
  let hasRun = false
  let rewind: (() => Promise<void>) | undefined

  function answer(response: Response): void {
    setResponse(c, response)
    done()
  }

  return {
    before,
    async run(attempt, tx): Promise<FetchEnd> {
      reset(c)
      if (hasRun) {
        restore(c, status as StatusCode, before)
        await rewind?.()
      } else if (tx !== undefined) rewind = keepBody(c.req.raw, () => incomingOf(c)?.rawBody)
      hasRun = true
      if (attempt) c.set('idempotency', attempt)
      const made = noteBodies(c)
      if (!handler) return endAfter(c, next, made)
      const given = await handler(c, { attempt, tx } as never)
      // somebody outside has answered meanwhile
      if (given && c.finalized) reset(c)
      return endOf(withHeaders(c, given), made.bodyOf(given))
    },
    answer,
    answerEarly: (response) => new Promise((resolve) => answer(toldResponse(response, resolve))),
    async leave() {
      if (isAlone(c, handler !== undefined)) setResponse(c, await c.notFound())
      done()
    },
  }
}

/** Marks a response of @hono/node-server whose handler has written its answer to the Node response. */
const ALREADY_SENT = 'x-hono-already-sent'

/** Runs the handlers that come after the guard, and gives what they answer themselves. */
async function endAfter(c: Context, next: Next, made: MadeResponse): Promise<FetchEnd> {
  const lateAnswer = watchAnswers(c, made)
  await next()
  const late = lateAnswer()
  if (late) return endOf(late, made.bodyOf(late))
  // asking for `c.res` makes a response, so that handlers without an answer would have one
  const response = c.finalized ? c.res : undefined
  return { ...endOf(response, made.bodyOf(response)), ...(c.error !== undefined && { thrown: { error: c.error } }) }
}

function endOf(response: Response | undefined, made?: MadeBody): FetchEnd {
  return { response, made, isSent: response?.headers?.get(ALREADY_SENT) != null }
}

/** Hono adds the headers of the context, those of CORS for instance, to a response that a handler returns. */
function withHeaders(c: Context, given: Response | undefined): Response | undefined {
  if (!given) return given
  c.res = given
  return c.res
}

/** Removes what was there before: an early answer, or that of an attempt that a conflict rolled back. */
function reset(c: Context): void {
  if (c.finalized) Object.assign(c, { res: undefined, finalized: false })
  c.error = undefined
}

/** Undoes the status and the headers that a handler set, before it is run again. */
function restore(c: Context, status: StatusCode, before: readonly HeaderField[]): void {
  c.status(status)
  for (const name of [...c.newResponse(null).headers.keys()]) c.header(name, undefined)
  for (const [name, value] of before) c.header(name, value, { append: true })
}

/** Replaces the response that the context has, where Hono would merge the two. */
function setResponse(c: Context, response: Response): void {
  c.res = undefined
  c.res = response
}
