/** Handlers of Fetch requests: Next, React Router, Bun, Deno, Workers, and whatever else takes a Request. */

import { createGuard } from '../../guard/guard.ts'
import { attemptFor } from '../../guard/marks.ts'
import type { Guarding, HttpOptions } from '../../guard/options/options.ts'
import type { HandlerAttempt, StatusResource } from '../../guard/ports.ts'
import type { Exchange } from '../../protocol/exchange.ts'
import { keepBody, requestBody } from './request-body.ts'
import { type FetchServer, serveFetch, servePassing } from './serve.ts'
import { toResponse } from './to-response.ts'

/** A handler; `rest` is whatever the framework passes besides the request: route parameters, `env` and `ctx`. */
export type FetchHandler<Rest extends unknown[], Context = { readonly attempt: HandlerAttempt | undefined }> = (
  request: Request,
  /** `attempt` is undefined where the request passed without protection: another method, or no key and none required. */
  context: Context,
  ...rest: Rest
) => Response | Promise<Response>

/** A handler that writes on an open transaction, which commits together with what it answers. */
export type FetchTransactionHandler<Rest extends unknown[], Tx> = FetchHandler<
  Rest,
  { readonly attempt: HandlerAttempt; readonly tx: Tx }
>

export interface FetchOptions<Rest extends unknown[]> extends HttpOptions<Request> {
  /**
   * Tells the runtime to wait for what is still to be done when the client has its answer or is gone, where it would
   * else stop the work: `(work, _request, _env, ctx) => ctx.waitUntil(work)`. It fails as the handler fails.
   */
  readonly waitUntil?: (work: Promise<void>, request: Request, ...rest: Rest) => void
}

/**
 * Serves the answers of operations that were answered with 202: `GET <path>/<id>`, behind the authentication of the
 * operations themselves.
 *
 * @example
 * import { unscoped } from '@retryproof/core'
 * import { serveStatus } from '@retryproof/http/fetch'
 * import { statusResource } from '@retryproof/http/status'
 *
 * const answer = serveStatus(statusResource<Request>(idempotency, { path: '/operations', scope: unscoped, secret }))
 * export const GET = (request: Request) => answer(request, new URL(request.url).pathname.split('/').at(-1) ?? '')
 */
export function serveStatus(status: StatusResource<Request>): (request: Request, id: string) => Promise<Response> {
  return async (request, id) => toResponse(await status.answer(id, request))
}

/**
 * The attempt that handles this request; `undefined` where it passed without protection.
 *
 * @example
 * import { attemptOf } from '@retryproof/http/fetch'
 *
 * async function charge(request: Request): Promise<{ id: string }> {
 *   const attempt = attemptOf(request)
 *   if (!attempt) throw new Error('The charge is not protected.')
 *   return provider.charge(100, { idempotencyKey: attempt.keyFor('charge') })
 * }
 */
export function attemptOf(request: Request): HandlerAttempt | undefined {
  return attemptFor(request)
}

/**
 * Makes a handler safe to retry: `export const POST = idempotent(idempotency, { scope, operation: 'charge' }, handler)`.
 * Fetch knows no routes, so that `operation` is required.
 *
 * @example
 * import { idempotent } from '@retryproof/http/fetch'
 *
 * export const POST = idempotent(
 *   idempotency,
 *   { scope: userOf, operation: 'charge' },
 *   async (request, { attempt }) => {
 *     if (!attempt) throw new Error('The charge is not protected.')
 *     const { amount } = (await request.json()) as { amount: number }
 *     const charge = await provider.charge(amount, { idempotencyKey: attempt.keyFor('charge') })
 *     return Response.json(charge, { status: 201 })
 *   },
 * )
 *
 * @throws IdempotencyInvalidOptionError naming the option and what it must be
 */
export function idempotent<Rest extends unknown[], Tx>(
  idempotency: Guarding<Tx>,
  options: FetchOptions<Rest> & { readonly transaction: true },
  handler: FetchTransactionHandler<Rest, Tx>,
): (request: Request, ...rest: Rest) => Promise<Response>
export function idempotent<Rest extends unknown[], Tx>(
  idempotency: Guarding<Tx>,
  options: FetchOptions<Rest>,
  handler: FetchHandler<Rest>,
): (request: Request, ...rest: Rest) => Promise<Response>
export function idempotent<Rest extends unknown[], Tx>(
  idempotency: Guarding<Tx>,
  { waitUntil, ...options }: FetchOptions<Rest>,
  handler: FetchHandler<Rest, never>,
): (request: Request, ...rest: Rest) => Promise<Response> {
  const guard = createGuard<Request, Tx>(idempotency, options, { hasHandler: true })
  return (request, ...rest) =>
    new Promise((resolve, reject) => {
      let rewind: (() => Promise<void>) | undefined
      const server: FetchServer<Tx> = {
        before: [],
        async run(attempt, tx) {
          if (rewind) await rewind()
          else if (tx !== undefined) rewind = keepBody(request)
          return { response: await handler(request, { attempt, tx } as never, ...rest) }
        },
        answer: resolve,
        answerEarly: async (response) => resolve(toResponse(response)),
        leave: ({ response }) => resolve(response as Response),
      }
      if (!guard.covers(request.method)) return void servePassing(guard, request, server).catch(reject)
      const work = serveFetch(guard, toExchange(request), server)
      work.catch(reject)
      waitUntil?.(work, request, ...rest)
    })
}

function toExchange(request: Request): Exchange<Request> {
  const { method, url, headers, signal } = request
  const { pathname, search } = new URL(url)
  return {
    method,
    target: pathname + search,
    headers: [...headers],
    ...requestBody(request),
    route: undefined,
    signal: () => signal,
    native: request,
  }
}
