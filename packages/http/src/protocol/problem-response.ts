/** Responses made of problems, in the shape of RFC 9457 or in the application's own. */
import { IdempotencyInvalidOptionError } from '@retryproof/core'
import type { HeaderField, HttpResponse } from './exchange.ts'
import { DOCS, type Problem } from './problems.ts'

/** The parts of an answer that replace ours. */
export interface ProblemAnswer {
  /** @default the status of the problem */
  readonly status?: number
  /** Headers that are added, or replace ours of the same name. */
  readonly headers?: Readonly<Record<string, string | readonly string[]>>
  /** An object is sent as JSON. @default the problem as application/problem+json */
  readonly body?: string | Uint8Array | object
}

/** Gives a problem the shape of the application's own errors; `undefined` leaves it as it is. */
export type ProblemShape = (problem: Problem) => ProblemAnswer | undefined

const utf8 = new TextEncoder()

/** @throws IdempotencyInvalidOptionError for a shape without a usable status, and what the shape throws */
export function problemResponse(problem: Problem, shape?: ProblemShape, docs: string = DOCS): HttpResponse {
  const { code: _, ...members } = problem
  const { status = problem.status, headers = {}, body } = shape?.(problem) ?? {}
  if (!Number.isInteger(status) || status < 200 || status > 599) {
    throw new IdempotencyInvalidOptionError('problem', `must give a status of 200 to 599, got ${String(status)}`)
  }
  const [type, bytes] = encode(body, { ...members, status })
  const own: HeaderField[] = [
    ['Content-Type', type],
    ['Cache-Control', 'no-store'],
    ['Link', `<${docs}>; rel="describedby"`],
  ]
  if (problem.retryAfter !== undefined) own.push(['Retry-After', String(problem.retryAfter)])
  if (problem.original?.location !== undefined) own.push(['Location', problem.original.location])
  return { status, headers: replaceFields(own, headers), body: bytes }
}

function encode(body: ProblemAnswer['body'], problem: object): [type: string, bytes: Uint8Array] {
  if (body === undefined) return ['application/problem+json', utf8.encode(JSON.stringify(problem))]
  if (typeof body === 'string') return ['text/plain; charset=utf-8', utf8.encode(body)]
  if (body instanceof Uint8Array) return ['application/octet-stream', body]
  return ['application/json', utf8.encode(JSON.stringify(body))]
}

function replaceFields(own: readonly HeaderField[], headers: NonNullable<ProblemAnswer['headers']>): HeaderField[] {
  const replaced = new Set(Object.keys(headers).map((name) => name.toLowerCase()))
  const added = Object.entries(headers).flatMap(([name, values]) =>
    [values].flat().map((value): HeaderField => [name, value]),
  )
  return [...own.filter(([name]) => !replaced.has(name.toLowerCase())), ...added]
}
