/** A guard without a framework, on a memory store. */
import { createIdempotency, type Idempotency, type IdempotencyOptions } from '@retryproof/core'
import { memoryStore } from '@retryproof/memory'
import { expect } from 'vitest'
import {
  answered,
  attemptFor,
  createGuard,
  type Decision,
  type Exchange,
  type HandlerAttempt,
  type HttpOptions,
  type HttpResponse,
  threw,
} from '../src/index.ts'
import { deferred } from './deferred.ts'

export interface Asked {
  readonly user: string
  readonly callback?: string
}

export const text = (value: string) => new TextEncoder().encode(value)

/** A response as a client reads it. */
export interface Read {
  readonly status: number | Decision['kind']
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

export function read({ status, headers, body }: HttpResponse): Read {
  const fields = headers.map(([name, value]) => [name.toLowerCase(), value] as const)
  return { status, headers: Object.fromEntries(fields), body: new TextDecoder().decode(body) }
}

export interface Answers {
  /** The promise that the handler waits for. */
  readonly gate?: Promise<unknown>
  readonly answer?: Partial<HttpResponse>
  readonly replayable?: boolean
  /** An error that the handler throws, to which `answer` is what an error handler answers. */
  readonly error?: unknown
}

export function newIdempotency(options: Partial<IdempotencyOptions> = {}): Idempotency {
  return createIdempotency({ store: memoryStore(), namespace: 'test', ...options })
}

export function setUp(options: Partial<HttpOptions<Asked>> = {}, idempotency = newIdempotency()) {
  const guard = createGuard<Asked>(idempotency, { scope: ({ user }) => user, ...options })
  const attempts: HandlerAttempt[] = []

  /** Starts a request: `early` is what it was answered before its handler ran, if it was. */
  function start(
    exchange: Partial<Exchange<Asked>> = {},
    { gate, answer, replayable = true, ...ending }: Answers = {},
  ) {
    const native = exchange.native ?? { user: 'ann' }
    const early = deferred<Read>()
    const request = {
      method: 'POST',
      target: '/charges',
      route: '/charges',
      headers: [['Idempotency-Key', 'k1']] as const,
      body: text('{}'),
      ...exchange,
      native,
    }
    const decided = guard.handle(request, {
      async execute(attempt) {
        attempts.push(attempt)
        expect(attemptFor(native)).toBe(attempt)
        await gate
        const given = { response: { status: 201, headers: [], body: text('done'), ...answer }, replayable }
        return 'error' in ending ? threw(ending.error, async () => given) : answered(given)
      },
      answerEarly: async (response) => early.resolve(read(response)),
    })
    const finished = decided.then((decision) => {
      const other: Read = { status: decision.kind, headers: {}, body: '' }
      const sent = decision.kind === 'send' ? read(decision.response) : other
      return { ...sent, decision, runs: attempts.length }
    })
    return { early: early.promise, finished }
  }

  /** The answer of one request, and the number of runs of the handler by then. */
  const ask = (exchange?: Partial<Exchange<Asked>>, answers?: Answers) => start(exchange, answers).finished

  return { ask, start, guard, idempotency, attempts }
}
