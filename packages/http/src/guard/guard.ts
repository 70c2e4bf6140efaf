/** From a request to its answer: key, scope, fingerprint, then one run of the handler or a replay. */
import { type Attempt, IdempotencyInvalidOptionError, isIdempotencyError } from '@retryproof/core'
import type { Exchange, HeaderField, HttpResponse } from '../protocol/exchange.ts'
import { isRefusal } from '../protocol/refusal.ts'
import { pendingResponse } from './answer/pending-response.ts'
import { storable } from './answer/stored-response.ts'
import { errorOf } from './error-of.ts'
import { type WatchedCalls, watchCalls } from './handler-calls.ts'
import type { HandlerCalls, HandlerEnd } from './handler-end.ts'
import { joinOuter, type Mark, markRequest, setAttempt, tellAnswer, unmarkRequest } from './marks.ts'
import type { Guarding, HttpOptions } from './options/options.ts'
import { type ResolvedOptions, readHttpOptions } from './options/read-options.ts'
import type { HandlerAttempt } from './ports.ts'
import { type Asked, ask } from './prepare-call.ts'
import { run, runAccepted } from './run-call.ts'

/**
 * The next step of a binding. `pass`: run the handler without protection. `own`: let the answer go that the handler gave,
 * with these headers more. `send`: send this response, and nothing that the handler may have written. `sent`: nothing,
 * since the client was answered before the handler ran.
 */
export type Decision =
  | { readonly kind: 'pass' | 'sent' }
  | { readonly kind: 'own'; readonly headers: readonly HeaderField[] }
  | { readonly kind: 'send'; readonly response: HttpResponse }

/** Guards the requests of one `idempotent()`. */
export interface Guard<Native, Tx = unknown> {
  /**
   * Tells whether requests of this method are guarded at all.
   *
   * @param ownMethod gives the one method of the route in which the guard stands, and undefined where it stands before
   * several. Asked only for a method that the options do not name.
   * @throws {@link IdempotencyInvalidOptionError} for one that is not, with `transaction: true`
   */
  covers(method: string, ownMethod?: () => string | undefined): boolean
  /** The response for a refusal that a handler throws, such as a PreconditionError; `undefined` for any other error. */
  refusalOf(error: unknown, native: Native): HttpResponse | undefined
  /**
   * Runs the handler once for the request's key.
   *
   * @throws what `execute` throws, and what only the application can mend: IdempotencyInvalidOptionError, IdempotencyInvalidCallError (scope,
   * operation), StoreMisconfiguredError
   */
  handle(exchange: Exchange<Native>, calls: HandlerCalls<Tx>): Promise<Decision>
}

/** The place of a guard. */
export interface GuardPlace {
  /** The binding was given the handler, rather than standing before it. */
  readonly hasHandler?: boolean
  /** A handler asks for its transaction, and fails where there is none: requests may pass to it without one. */
  readonly asksForTransaction?: boolean
}

/**
 * Makes the guard of one `idempotent()`.
 *
 * @example
 * import { answered, createGuard, type Exchange, type HandlerCalls, type HttpResponse } from '@retryproof/http'
 *
 * interface MyRequest {
 *   readonly user: string
 * }
 * declare function handle(request: MyRequest): Promise<HttpResponse>
 * declare function send(response: HttpResponse): Promise<void>
 *
 * const guard = createGuard<MyRequest>(idempotency, { scope: (request) => request.user }, { hasHandler: true })
 *
 * async function serve(exchange: Exchange<MyRequest>) {
 *   let response: HttpResponse | undefined
 *   const calls: HandlerCalls<unknown> = {
 *     answerEarly: send,
 *     async execute() {
 *       response = await handle(exchange.native)
 *       return answered({ response, replayable: true })
 *     },
 *   }
 *   const decision = await guard.handle(exchange, calls)
 *   if (decision.kind === 'send') return send(decision.response)
 *   if (decision.kind === 'own' && response) return send(response)
 *   if (decision.kind === 'pass') return send(await handle(exchange.native))
 * }
 *
 * @throws IdempotencyInvalidOptionError naming the option and what it must be
 */
export function createGuard<Native extends object, Tx = unknown>(
  idempotency: Guarding<Tx>,
  httpOptions: HttpOptions<Native>,
  { hasHandler = false, asksForTransaction = false }: GuardPlace = {},
): Guard<Native, Tx> {
  const options = readHttpOptions(idempotency, httpOptions, hasHandler)

  function problemOf(error: unknown, native: Native): HttpResponse | undefined {
    try {
      return options.spelling.problem(error, native, options.maxRetryAfterMs)
    } catch (thrown) {
      throw errorOf(thrown)
    }
  }

  return {
    covers(method, ownMethod) {
      // HEAD comes to the route of a GET by itself
      const isGuarded = options.methods.has(method) || (method !== 'HEAD' && method === ownMethod?.())
      if (isGuarded || !options.transaction || asksForTransaction) return isGuarded
      throw new IdempotencyInvalidOptionError(
        'methods',
        `must name ${method}: with transaction: true no handler runs without its transaction`,
      )
    },
    refusalOf: (error, native) => (isRefusal(error) ? problemOf(error, native) : undefined),
    async handle(exchange, calls) {
      const watched = watchCalls(calls)
      try {
        const asked = await ask(exchange, options)
        if (!asked || joinOuter(exchange.native, idempotency, asked, options)) return { kind: 'pass' }
        const { name, call } = asked
        const { records } = options
        const mark: Mark = { instance: idempotency, name, key: call.key, records, isAnswered: false }
        const outer = markRequest(exchange.native, mark)
        try {
          const decision = await decide(exchange.native, asked, watched, options, mark)
          if (outer && decision.kind === 'send') tellAnswer(exchange.native)
          return decision
        } finally {
          unmarkRequest(exchange.native, outer)
        }
      } catch (error) {
        if (watched.threw(error)) throw error
        tellAnswer(exchange.native, { error, hasRun: watched.hasRun() })
        const problem = problemOf(error, exchange.native)
        if (!problem) throw errorOf(error)
        return watched.wasAnswered() ? { kind: 'sent' } : { kind: 'send', response: problem }
      }
    },
  }
}

async function decide<Native extends object, Tx>(
  native: Native,
  asked: Asked<Tx>,
  calls: WatchedCalls<Tx>,
  options: ResolvedOptions<Native, Tx>,
  mark: Mark,
): Promise<Decision> {
  const { name, callback } = asked
  const locate = () => locationOf(options, name, asked.call.key)

  function execute(attempt: Attempt, tx: Tx | undefined): Promise<HandlerEnd> {
    setAttempt(native, attempt as HandlerAttempt)
    return options.respondsEarly && !calls.wasAnswered()
      ? answerEarly().then(() => runHandler(attempt, tx))
      : runHandler(attempt, tx)
  }

  async function answerEarly(): Promise<void> {
    await calls.answerEarly(pendingResponse(await locate(), options.maxRetryAfterMs))
  }

  function runHandler(attempt: Attempt, tx: Tx | undefined): Promise<HandlerEnd> {
    const { maxResponseBytes, stream, transaction } = options
    const whole = transaction || calls.wasAnswered()
    return calls.execute(attempt as HandlerAttempt, {
      tx,
      limits: { maxResponseBytes, stream: stream && !whole, whole },
    })
  }

  try {
    const outcome =
      asked.accepted.length > 0 ? runAccepted(asked, execute, calls, options, mark) : run(asked, execute, options, mark)
    const { value, replayed, recorded } = await outcome
    if (replayed) return sendUnlessAnswered(calls, options.spelling.replay(value))
    if (!calls.wasAnswered()) return { kind: 'own', headers: [] }
    if (callback && recorded && value)
      await options.webhook?.deliver(callback, { location: await locate(), response: storable(value) })
    return { kind: 'sent' }
  } catch (error) {
    if (!options.accepts || !isIdempotencyError(error, 'IDEMPOTENCY_IN_PROGRESS') || calls.threw(error)) throw error
    const retryAfterMs = Math.min(error.retryAfterMs, options.maxRetryAfterMs)
    return { kind: 'send', response: pendingResponse(await locate(), retryAfterMs) }
  }
}

function sendUnlessAnswered<Tx>(calls: WatchedCalls<Tx>, response: HttpResponse): Decision {
  return calls.wasAnswered() ? { kind: 'sent' } : { kind: 'send', response }
}

async function locationOf<Native, Tx>(
  { statusResource }: ResolvedOptions<Native, Tx>,
  operation: string,
  key: string,
): Promise<string> {
  if (statusResource) return statusResource.locate(operation, key)
  throw new IdempotencyInvalidOptionError('statusResource', 'is needed to answer with 202')
}
