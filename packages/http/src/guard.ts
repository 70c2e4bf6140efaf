/** From a request to its answer: key, scope, fingerprint, then one run of the handler or a replay. */
import {
  type Attempt,
  type Call,
  handBack,
  type Idempotency,
  InvalidOptionError,
  type Scope,
  unreplayable,
} from '@retryproof/core'
import { type Exchange, type HandlerAnswer, type HttpResponse, headerValues } from './exchange.ts'
import { describeRequest } from './fingerprint.ts'
import { keyFromHeaders, requireKey } from './key-header.ts'
import { type HttpOptions, type ResolvedOptions, readHttpOptions } from './options.ts'
import { type AnswerSummary, problemFor } from './problems.ts'
import { Refusal } from './refusal.ts'
import { storable } from './stored-response.ts'

/**
 * What a binding does next. `'pass'`: run the handler without protection. `'own'`: let the answer go that the handler
 * gave. Else: send this response, and nothing that the handler may have written.
 */
export type Decision = 'pass' | 'own' | HttpResponse

/** Guards the requests of one `idempotent()`. */
export interface Guard<Native> {
  readonly options: Pick<ResolvedOptions<Native>, 'maxResponseBytes' | 'stream'>
  /** Whether requests of this method are guarded at all. */
  covers(method: string): boolean
  /**
   * Runs `execute` once for the request's key. It gives what the handler answered, once that is complete, and holds
   * the end of the answer back until the decision is there, so that no answer leaves before it is recorded.
   *
   * @throws what `execute` throws, and what only the application's operator can mend: InvalidOptionError,
   * InvalidCallError (scope, operation), StoreMisconfiguredError
   */
  handle(exchange: Exchange<Native>, execute: (attempt: Attempt) => Promise<HandlerAnswer>): Promise<Decision>
}

/** @throws InvalidOptionError naming the option and what it must be */
export function createGuard<Native extends object>(
  idempotency: Pick<Idempotency, 'operation'>,
  httpOptions: HttpOptions<Native>,
): Guard<Native> {
  const options = readHttpOptions(idempotency, httpOptions)

  async function decide(
    exchange: Exchange<Native>,
    execute: (attempt: Attempt) => Promise<HandlerAnswer>,
  ): Promise<Decision> {
    const key = readKey(exchange, options)
    if (key === undefined) {
      if (!options.required) return 'pass'
      throw new Refusal(
        'key-missing',
        'This operation requires an Idempotency-Key: a value that is new for each request.',
      )
    }
    const operation = options.operationNamed(nameOf(exchange, options))
    const scope: Scope = typeof options.scope === 'function' ? await options.scope(exchange.native) : options.scope
    const payload = await describeRequest(exchange, options)
    const { signal } = exchange
    const call: Omit<Call, 'operation'> = { scope, key, payload, ...(signal ? { signal } : {}) }
    const { value, replayed } = await operation.run<HttpResponse>(call, async (attempt) => {
      attempts.set(exchange.native, attempt)
      return toResult(await execute(attempt), options)
    })
    return replayed ? { ...value, headers: [...value.headers, ['Idempotency-Replayed', 'true']] } : 'own'
  }

  return {
    options,
    covers: (method) => options.methods.has(method),
    async handle(exchange, execute) {
      // what the handler throws is the application's, even where it is an error of this library
      let thrown: { readonly error: unknown } | undefined
      try {
        return await decide(exchange, async (attempt) => {
          try {
            return await execute(attempt)
          } catch (error) {
            thrown = { error }
            throw error
          }
        })
      } catch (error) {
        const problem = thrown?.error === error ? undefined : problemFor(error, options)
        if (!problem) throw error
        return problem
      }
    },
  }
}

const attempts = new WeakMap<object, Attempt>()

/** The attempt that handles a request; `undefined` where the request passed without protection. */
export function attemptFor(request: object): Attempt | undefined {
  return attempts.get(request)
}

function readKey<Native>({ headers, native }: Exchange<Native>, options: ResolvedOptions<Native>): string | undefined {
  const key: unknown = options.key ? options.key(native) : keyFromHeaders(headers, options.syntax)
  return key === undefined ? undefined : requireKey(key)
}

function nameOf<Native>({ method, route, native }: Exchange<Native>, { operation }: ResolvedOptions<Native>): string {
  if (operation) return operation(native)
  if (route !== undefined) return `${method} ${route}`
  throw new InvalidOptionError(
    'operation',
    'is required here, since the pattern of the route is not known: name the kind of write, such as "POST /orders/:id/refunds"',
  )
}

/** What the core records of an answer: it decides by the final status, whether that was thrown or returned. */
function toResult<Native>({ response, replayable }: HandlerAnswer, { records }: ResolvedOptions<Native>) {
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
