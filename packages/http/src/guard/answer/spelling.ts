/** Spells what a guard answers itself: problems, and the header that marks a replay. */
import { IdempotencyInvalidOptionError } from '@retryproof/core'
import type { HttpResponse } from '../../protocol/exchange.ts'
import { type ProblemAnswer, problemResponse } from '../../protocol/problem-response.ts'
import { DOCS, type Problem, problemFor } from '../../protocol/problems.ts'
import { requireSync } from '../require-sync.ts'
import { type Preset, presets } from './spelling-presets.ts'
import { replayOf } from './stored-response.ts'

export interface SpellingOptions<Native> {
  /** Sets the replay header and the problems that clients of an ecosystem expect. @default 'ietf' */
  readonly preset?: Preset
  /**
   * Gives problems the shape of your own errors, or throws an error for the framework's error handler to answer.
   * `undefined` leaves the problem as it is.
   *
   * @example
   * import { createIdempotency, unscoped } from '@retryproof/core'
   * import { idempotent } from '@retryproof/http/fetch'
   * import { memoryStore } from '@retryproof/memory'
   *
   * const idempotency = createIdempotency({ store: memoryStore(), namespace: 'payments' })
   * export const POST = idempotent(
   *   idempotency,
   *   {
   *     scope: unscoped,
   *     operation: 'charge',
   *     problem: ({ code, detail }) => ({ body: { error: { code, message: detail } } }),
   *   },
   *   () => Response.json({ charged: 100 }, { status: 201 }),
   * )
   */
  readonly problem?: (problem: Problem, request: Native) => ProblemAnswer | undefined
  /** The name of the header that marks a replay with `true`. @default that of the preset, 'Idempotency-Replayed' */
  readonly replayHeader?: string
  /** The page that documents the problems: `type` and `Link` of each. @default docs/problems.md of this project */
  readonly docs?: string
}

export interface Spelling<Native> {
  /** The response for an error of this library; `undefined` for an error that the application has to handle. */
  problem(error: unknown, request: Native, maxRetryAfterMs: number): HttpResponse | undefined
  /** The response for a client that sends the request again. */
  replay(recorded: HttpResponse | undefined): HttpResponse
}

const TOKEN = /^[!#$%&'*+.^_`|~\dA-Za-z-]+$/

/** @throws IdempotencyInvalidOptionError naming the option and what it must be */
export function readSpelling<Native>(options: SpellingOptions<Native>): Spelling<Native> {
  const { preset = 'ietf', problem, replayHeader, docs = DOCS } = options
  if (!Object.hasOwn(presets, preset)) {
    throw new IdempotencyInvalidOptionError('preset', `must be one of ${Object.keys(presets).join(', ')}`)
  }
  if (problem !== undefined && typeof problem !== 'function') {
    throw new IdempotencyInvalidOptionError('problem', 'must be a function, (problem) => ({ status, headers, body })')
  }
  requireSync('problem', problem)
  if (replayHeader !== undefined && !(typeof replayHeader === 'string' && TOKEN.test(replayHeader))) {
    throw new IdempotencyInvalidOptionError('replayHeader', 'must be the name of a header')
  }
  if (typeof docs !== 'string' || !URL.canParse(docs)) {
    throw new IdempotencyInvalidOptionError('docs', 'must be an absolute URL')
  }
  const spelling = presets[preset]
  const marker = replayHeader ?? spelling.replayHeader
  return {
    problem(error, request, maxRetryAfterMs) {
      const found = problemFor(error, { docs, maxRetryAfterMs })
      if (!found) return undefined
      return problemResponse(found, problem ? (given) => problem(given, request) : spelling.problem, docs)
    },
    replay: (recorded) => replayOf(recorded, marker),
  }
}
