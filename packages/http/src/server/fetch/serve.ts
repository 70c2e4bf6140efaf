/** Serves a guarded request of Fetch: the one chain for Fetch handlers and for Hono. */
import type { Guard } from '../../guard/guard.ts'
import { answered, type HandlerEnd, threw } from '../../guard/handler-end.ts'
import type { HandlerAttempt } from '../../guard/ports.ts'
import type { Exchange, HeaderField, HttpResponse } from '../../protocol/exchange.ts'
import { type HeldResponse, holdResponse, type MadeBody } from './held-response.ts'
import { toResponse } from './to-response.ts'

/** The answer of a handler, where the framework has it. */
export interface FetchEnd {
  /** Anything that is no response, such as `undefined`: the handler gave no answer. */
  readonly response: unknown
  /** The error that it threw, where an error handler of the framework has made the response already. */
  readonly thrown?: { readonly error: unknown }
  /** The body, where it is in hand; else it is read from the response. */
  readonly made?: MadeBody | undefined
  /** True where the handler has written its answer past the framework. */
  readonly isSent?: boolean
}

/** A framework whose handlers give responses of Fetch. */
export interface FetchServer<Tx> {
  /** The headers that were set before the guard, which are not recorded. */
  readonly before: readonly HeaderField[]
  /** Runs the handler. Rejects with the error that it throws, where no error handler has answered it. */
  run(attempt?: HandlerAttempt, tx?: Tx): Promise<FetchEnd>
  /** Gives the client its answer. Any later one has no client. */
  answer(response: Response): void
  /** Gives the client its answer before the handler runs. */
  answerEarly(response: HttpResponse): Promise<void>
  /** Leaves a handler without an answer to the framework. */
  leave(end: FetchEnd): void
}

const REPLACED = 'Another answer was recorded while this one left. It is cut, so that no client takes it for complete.'

/**
 * Serves a guarded request of Fetch, from its key to its answer.
 *
 * @example
 * import { createGuard, type Exchange } from '@retryproof/http'
 * import { requestBody, serveFetch, toResponse } from '@retryproof/http/fetch'
 *
 * const guard = createGuard<Request>(idempotency, { scope: userOf, operation: 'charge' }, { hasHandler: true })
 *
 * function serve(native: Request, handler: () => Promise<Response>): Promise<Response> {
 *   const { method, headers } = native
 *   const target = new URL(native.url).pathname
 *   const exchange: Exchange<Request> = { ...requestBody(native), method, target, headers: [...headers], route: undefined, native }
 *   return new Promise((answer, reject) => {
 *     serveFetch(guard, exchange, {
 *       before: [],
 *       run: async () => ({ response: await handler() }),
 *       answer,
 *       answerEarly: async (response) => answer(toResponse(response)),
 *       leave: () => reject(new Error('The handler gave no response.')),
 *     }).catch(reject)
 *   })
 * }
 *
 * @throws the error of the handler, and errors that only the application can mend, for the framework to answer
 */
export async function serveFetch<Native extends object, Tx>(
  guard: Guard<Native, Tx>,
  exchange: Exchange<Native>,
  server: FetchServer<Tx>,
): Promise<void> {
  const { method, native } = exchange
  let held: HeldResponse | undefined
  try {
    const decision = await guard.handle(exchange, {
      async execute(attempt, { tx, limits }): Promise<HandlerEnd> {
        async function hold(end: FetchEnd, response: Response) {
          const { made, isSent = false } = end
          held = await holdResponse(response, { method, limits, attempt, before: server.before, made, isSent })
          if (held.passing) server.answer(held.response())
          await held.passing?.ended
          return held.answer
        }

        const end = await runAndRefuse(guard, native, server, attempt, tx)
        const { response, thrown } = end
        if (!isResponse(response)) throw new Unanswered(end)
        if (thrown) return threw(thrown.error, () => hold(end, response))
        if (response.status === 0)
          return threw(new Error('The handler gave Response.error().'), () => hold(end, response))
        return answered(await hold(end, response))
      },
      answerEarly: (response) => server.answerEarly(response),
    })
    if (decision.kind === 'pass') await servePassing(guard, native, server)
    else if (decision.kind === 'own' && held?.passing) held.passing.end()
    else if (decision.kind === 'own' && held) server.answer(held.response())
    else if (decision.kind === 'send' && held?.passing) held.passing.cut(new Error(REPLACED))
    else if (decision.kind === 'send') server.answer(toResponse(decision.response, server.before))
  } catch (error) {
    held?.passing?.cut(error as Error)
    if (!(error instanceof Unanswered)) throw error
    server.leave(error.end)
  }
}

/**
 * Serves a request that is not guarded. Only a refusal of the handler is answered here, as it would be behind the guard.
 *
 * @example
 * import { createGuard } from '@retryproof/http'
 * import { type FetchServer, servePassing } from '@retryproof/http/fetch'
 *
 * declare const server: FetchServer<unknown>
 * const guard = createGuard<Request>(idempotency, { scope: userOf, operation: 'charge' })
 * const serve = (request: Request) => (guard.covers(request.method) ? undefined : servePassing(guard, request, server))
 */
export async function servePassing<Native extends object, Tx>(
  guard: Guard<Native, Tx>,
  native: Native,
  server: FetchServer<Tx>,
): Promise<void> {
  const end = await runAndRefuse(guard, native, server)
  if (isResponse(end.response)) server.answer(end.response)
  else server.leave(end)
}

/** Runs the handler. A refusal that it throws, such as a failed precondition, has an answer of ours. */
async function runAndRefuse<Native extends object, Tx>(
  guard: Guard<Native, Tx>,
  native: Native,
  server: FetchServer<Tx>,
  attempt?: HandlerAttempt,
  tx?: Tx,
): Promise<FetchEnd> {
  try {
    const end = await server.run(attempt, tx)
    const refused = end.thrown && guard.refusalOf(end.thrown.error, native)
    return refused ? { ...end, response: toResponse(refused, server.before), made: undefined } : end
  } catch (error) {
    const refused = guard.refusalOf(error, native)
    if (!refused) throw error
    return { response: toResponse(refused, server.before), thrown: { error } }
  }
}

/** The handler gave no answer: nothing is recorded, and the framework does as it does without the guard. */
class Unanswered extends Error {
  readonly end: FetchEnd

  constructor(end: FetchEnd) {
    super('The handler gave no response.')
    this.end = end
  }
}

/** Recognizes the responses of another realm too, such as those of a ponyfill. */
function isResponse(value: unknown): value is Response {
  if (typeof value !== 'object' || value === null) return false
  const { status, headers } = value as Partial<Response>
  return typeof status === 'number' && typeof headers?.get === 'function'
}
