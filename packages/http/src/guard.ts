/** From a request to its answer: key, scope, fingerprint, then one run of the handler or a replay. */
import {
  type Attempt,
  type Call,
  handBack,
  InProgressError,
  InvalidOptionError,
  type NamedOperation,
  type Outcome,
  type Policies,
  rollBack,
  type Scope,
  type Steps,
  unreplayable,
} from '@retryproof/core'
import { type Exchange, type HandlerAnswer, type HeaderField, type HttpResponse, headerValues } from './exchange.ts'
import { describeRequest } from './fingerprint.ts'
import { keyFromHeaders, requireKey } from './key-header.ts'
import type { HttpOptions } from './options.ts'
import { namesVersion, preconditionRequired } from './precondition.ts'
import { type AnswerSummary, problemFor } from './problems.ts'
import { type Guarding, type ResolvedOptions, readHttpOptions } from './read-options.ts'
import { Refusal } from './refusal.ts'
import { pendingResponse } from './status-resource.ts'
import { replayOf, storable } from './stored-response.ts'

/**
 * What a binding does next. `pass`: run the handler without protection. `own`: let the answer go that the handler gave,
 * with these headers more. `send`: send this response, and nothing that the handler may have written. `sent`: nothing,
 * since the client was answered before the handler ran.
 */
export type Decision =
  | { readonly kind: 'pass' | 'sent' }
  | { readonly kind: 'own'; readonly headers: readonly HeaderField[] }
  | { readonly kind: 'send'; readonly response: HttpResponse }

/** What a handler is told about the attempt that it is. In a transaction it has no steps: that is one step. */
export type HandlerAttempt = Attempt & Steps<unknown>

export interface HandlerCalls<Tx> {
  /**
   * Runs the handler, and gives what it answered once that is complete. Its end is held back until the decision is
   * there, so that no answer leaves before it is recorded. In a transaction it may be called again after a conflict.
   */
  execute(attempt: HandlerAttempt, tx: Tx | undefined): Promise<HandlerAnswer>
  /** Answers the client now; `execute` comes afterwards, and what it gives is only recorded. */
  answerEarly(response: HttpResponse): Promise<void>
}

/** Guards the requests of one `idempotent()`. */
export interface Guard<Native, Tx = unknown> {
  readonly limits: { readonly maxResponseBytes: number; readonly stream: boolean; readonly whole: boolean }
  /** Whether requests of this method are guarded at all. */
  covers(method: string): boolean
  /**
   * Runs the handler once for the request's key.
   *
   * @throws what `execute` throws, and what only the application can mend: InvalidOptionError, InvalidCallError (scope,
   * operation), StoreMisconfiguredError
   */
  handle(exchange: Exchange<Native>, calls: HandlerCalls<Tx>): Promise<Decision>
}

/**
 * @param hasHandler whether the binding was given the handler, rather than standing before it
 * @throws InvalidOptionError naming the option and what it must be
 */
export function createGuard<Native extends object, Tx = unknown>(
  idempotency: Guarding<Tx>,
  httpOptions: HttpOptions<Native>,
  { hasHandler = false }: { readonly hasHandler?: boolean } = {},
): Guard<Native, Tx> {
  const options = readHttpOptions(idempotency, httpOptions, hasHandler)
  const { maxResponseBytes, stream, transaction } = options
  return {
    limits: { maxResponseBytes, stream: stream && !transaction, whole: transaction },
    covers: (method) => options.methods.has(method),
    async handle(exchange, calls) {
      const watched = watch(calls)
      try {
        const asked = await ask(exchange, options)
        return asked ? await decide(asked, watched, options) : { kind: 'pass' }
      } catch (error) {
        const problem = watched.threw(error) ? undefined : problemFor(error, options)
        if (!problem) throw error
        return watched.wasAnswered() ? { kind: 'sent' } : { kind: 'send', response: problem }
      }
    },
  }
}

/** A request, as the core is asked to run it. */
interface Asked<Native, Tx> {
  readonly name: string
  readonly operation: NamedOperation<Tx>
  readonly call: Omit<Call, 'operation'>
  readonly policies: Policies | undefined
  readonly native: Native
  /** Where the answer is to be told. */
  readonly callback: URL | undefined
}

/** Undefined for a request without a key that may pass. */
async function ask<Native, Tx>(
  exchange: Exchange<Native>,
  options: ResolvedOptions<Native, Tx>,
): Promise<Asked<Native, Tx> | undefined> {
  const { native, headers, signal } = exchange
  const given = options.key ? await options.key(native) : keyFromHeaders(headers, options.syntax)
  if (given === undefined) {
    if (!options.required) return undefined
    throw new Refusal(
      'key-missing',
      'This operation requires an Idempotency-Key: a value that is new for each request.',
    )
  }
  if (options.requirePrecondition && !namesVersion(headers)) {
    throw preconditionRequired(options.docs)
  }
  const isContent = typeof given === 'object' && given !== null && 'retention' in given
  const key = requireKey(isContent ? given.key : given)
  const name = nameOf(exchange, options)
  const scope: Scope = typeof options.scope === 'function' ? await options.scope(native) : options.scope
  const payload = await describeRequest(exchange, options)
  return {
    name,
    operation: options.operationNamed(name),
    call: { scope, key, payload, ...(signal && { signal }) },
    policies: isContent ? { retention: given.retention } : undefined,
    native,
    callback: options.webhook?.address(native),
  }
}

async function decide<Native extends object, Tx>(
  asked: Asked<Native, Tx>,
  calls: Watched<Tx>,
  options: ResolvedOptions<Native, Tx>,
): Promise<Decision> {
  const { name, native, callback } = asked
  const locate = () => locationOf(options, name, asked.call.key)

  async function execute(attempt: Attempt, tx: Tx | undefined): Promise<HandlerAnswer> {
    attempts.set(native, attempt as HandlerAttempt)
    if (options.respondsEarly && !calls.wasAnswered()) {
      await calls.answerEarly(pendingResponse(await locate(), options.maxRetryAfterMs))
    }
    return calls.execute(attempt as HandlerAttempt, tx)
  }

  try {
    const { value, replayed, recorded, retentionRemainingMs } = await run(asked, execute, options)
    const expiry = expiryOf(recorded ? retentionRemainingMs : 0, options)
    if (replayed) return sendUnlessAnswered(calls, withHeaders(replayOf(value), expiry))
    if (!calls.wasAnswered()) return { kind: 'own', headers: expiry }
    if (callback && recorded && value)
      await options.webhook?.deliver(callback, { location: await locate(), response: value })
    return { kind: 'sent' }
  } catch (error) {
    if (!options.accepts || !(error instanceof InProgressError) || calls.threw(error)) throw error
    const retryAfterMs = Math.min(error.retryAfterMs, options.maxRetryAfterMs)
    return { kind: 'send', response: pendingResponse(await locate(), retryAfterMs) }
  }
}

/** The value is undefined where the core replays no more than that it is done. */
function run<Native, Tx>(
  { operation, call, policies }: Asked<Native, Tx>,
  execute: (attempt: Attempt, tx: Tx | undefined) => Promise<HandlerAnswer>,
  options: ResolvedOptions<Native, Tx>,
): Promise<Outcome<HttpResponse | undefined>> {
  if (!options.transaction) {
    return operation.run(call, async (attempt) => toResult(await execute(attempt, undefined), options), policies)
  }
  return operation.transaction(
    call,
    async (tx, attempt) => {
      const answer = await execute(attempt, tx)
      const result = toResult(answer, options)
      return options.commitWhen(answer.response.status) ? result : rollBack(result)
    },
    policies,
  )
}

/** What the core records of an answer: it decides by the final status, whether that was thrown or returned. */
function toResult<Native, Tx>({ response, replayable }: HandlerAnswer, { records }: ResolvedOptions<Native, Tx>) {
  const { status, headers } = response
  if (!records({ status, headers })) return handBack(response)
  if (replayable && !isCoded(response)) return storable(response)
  const [location] = headerValues(headers, 'location')
  const summary: AnswerSummary = location === undefined ? { status } : { status, location }
  return unreplayable(response, summary)
}

/** Bytes that were compressed for one client would be noise to another. */
function isCoded({ headers }: HttpResponse): boolean {
  return headerValues(headers, 'content-encoding').some((coding) => coding.toLowerCase() !== 'identity')
}

const attempts = new WeakMap<object, HandlerAttempt>()

/** The attempt that handles a request; `undefined` where the request passed without protection. */
export function attemptFor(request: object): HandlerAttempt | undefined {
  return attempts.get(request)
}

/** Calls of a handler, and what became of them. */
interface Watched<Tx> extends HandlerCalls<Tx> {
  /** Whether this is what the handler threw: the application's, even where it is an error of this library. */
  threw(error: unknown): boolean
  wasAnswered(): boolean
}

function watch<Tx>({ execute, answerEarly }: HandlerCalls<Tx>): Watched<Tx> {
  let thrown: { readonly error: unknown } | undefined
  let answered = false
  return {
    async execute(attempt, tx) {
      try {
        return await execute(attempt, tx)
      } catch (error) {
        thrown = { error }
        throw error
      }
    },
    async answerEarly(response) {
      answered = true
      await answerEarly(response)
    },
    threw: (error) => thrown !== undefined && thrown.error === error,
    wasAnswered: () => answered,
  }
}

function sendUnlessAnswered<Tx>(calls: Watched<Tx>, response: HttpResponse): Decision {
  return calls.wasAnswered() ? { kind: 'sent' } : { kind: 'send', response }
}

function withHeaders(response: HttpResponse, headers: readonly HeaderField[]): HttpResponse {
  return { ...response, headers: [...response.headers, ...headers] }
}

function expiryOf<Native, Tx>(remainingMs: number, { expiryHeader }: ResolvedOptions<Native, Tx>): HeaderField[] {
  return expiryHeader && remainingMs > 0 ? [[expiryHeader, String(Math.floor(remainingMs / 1000))]] : []
}

function nameOf<Native, Tx>(
  { method, route, native }: Exchange<Native>,
  { operation }: ResolvedOptions<Native, Tx>,
): string {
  if (operation) return operation(native)
  if (route !== undefined) return `${method} ${route}`
  throw new InvalidOptionError(
    'operation',
    'is required here, since the pattern of the route is not known: name the kind of write, such as "POST /orders/:id/refunds"',
  )
}

async function locationOf<Native, Tx>(
  { statusResource }: ResolvedOptions<Native, Tx>,
  operation: string,
  key: string,
): Promise<string> {
  if (statusResource) return statusResource.locate(operation, key)
  throw new InvalidOptionError('statusResource', 'is needed to answer with 202')
}
