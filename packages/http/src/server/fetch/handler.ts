/** Handlers of Fetch requests: Next, React Router, Bun, Deno, Workers, and whatever else takes a Request. */

import { attemptFor, createGuard } from '../../guard/guard.ts'
import { answered } from '../../guard/handler-end.ts'
import type { Guarding, HttpOptions } from '../../guard/options.ts'
import type { HandlerAttempt, StatusResource } from '../../guard/ports.ts'
import type { Exchange } from '../../protocol/exchange.ts'
import { PreconditionError } from '../../protocol/precondition.ts'
import { type HeldResponse, holdResponse, toResponse } from './held-response.ts'
import { requestBody } from './request-body.ts'

const REPLACED = 'Another answer was recorded while this one left: it is cut, so that nobody takes it for complete.'

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
 */
export function serveStatus(status: StatusResource<Request>): (request: Request, id: string) => Promise<Response> {
  return async (request, id) => toResponse(await status.answer(id, request))
}

/** The attempt that handles this request; `undefined` where it passed without protection. */
export function attemptOf(request: Request): HandlerAttempt | undefined {
  return attemptFor(request)
}

/**
 * Makes a handler safe to retry: `export const POST = idempotent(idempotency, { scope, operation: 'charge' }, handler)`.
 * Fetch knows no routes, so that `operation` is required.
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

  async function proceed(request: Request, rest: Rest, tx?: Tx): Promise<Response> {
    try {
      return await handler(request, { attempt: attemptFor(request), tx } as never, ...rest)
    } catch (error) {
      if (error instanceof PreconditionError) return toResponse(error.response)
      throw error
    }
  }

  /** @param answer gives the client its answer; later ones are for nobody */
  async function serve(request: Request, rest: Rest, answer: (response: Response) => void): Promise<void> {
    let held: HeldResponse | undefined
    try {
      const decision = await guard.handle(toExchange(request), {
        async execute(attempt, { tx, limits }) {
          const response = await proceed(request, rest, tx)
          held = await holdResponse(response, { method: request.method, limits, signal: attempt.signal })
          if (held.passing) answer(held.response())
          await held.passing?.ended
          return answered(held.answer)
        },
        async answerEarly(response) {
          answer(toResponse(response))
        },
      })
      if (decision.kind === 'pass') answer(await proceed(request, rest))
      else if (decision.kind === 'own' && held?.passing) held.passing.end()
      else if (decision.kind === 'own' && held) answer(held.response(decision.headers))
      else if (decision.kind === 'send' && held?.passing) held.passing.cut(new Error(REPLACED))
      else if (decision.kind === 'send') answer(toResponse(decision.response))
    } catch (error) {
      held?.passing?.cut(error as Error)
      throw error
    }
  }

  return (request, ...rest) => {
    if (!guard.covers(request.method)) return proceed(request, rest)
    return new Promise((resolve, reject) => {
      const work = serve(request, rest, resolve)
      work.catch(reject)
      waitUntil?.(work, request, ...rest)
    })
  }
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
    signal,
    native: request,
  }
}
