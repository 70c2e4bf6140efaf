/** Every outcome that is no answer of the handler, as a problem of RFC 9457. */
import {
  type IdempotencyErrorCode,
  type IdempotencyInvalidCallError,
  type IdempotencyNotReplayableError,
  isIdempotencyError,
} from '@retryproof/core'
import type { HeaderField, HttpResponse } from './exchange.ts'
import { Refusal } from './refusal.ts'

interface Problem {
  readonly status: number
  readonly title: string
  /** Sending the same request again, with the same key, may succeed. */
  readonly retryable: boolean
}

/** By the fragment of their type: each is a heading of the documentation. */
export const problems = {
  'key-missing': { status: 400, title: 'Idempotency-Key is missing', retryable: false },
  'key-invalid': { status: 400, title: 'Idempotency-Key is not valid', retryable: false },
  'callback-refused': { status: 400, title: 'The callback address is not allowed', retryable: false },
  'body-invalid': { status: 400, title: 'The body cannot be told from another', retryable: false },
  'unknown-operation': { status: 404, title: 'There is no such operation', retryable: false },
  'in-progress': { status: 409, title: 'A request with this Idempotency-Key is in progress', retryable: true },
  'lease-lost': { status: 409, title: 'Another attempt took this Idempotency-Key over', retryable: true },
  conflict: { status: 409, title: 'The write lost against another', retryable: true },
  'outcome-unknown': { status: 409, title: 'The outcome of an earlier attempt is unknown', retryable: false },
  'not-replayable': { status: 410, title: 'Done before, but the answer was not kept', retryable: false },
  'precondition-failed': { status: 412, title: 'The resource has changed', retryable: false },
  'body-too-large': { status: 413, title: 'The body is too large', retryable: false },
  'body-unsupported': { status: 415, title: 'This kind of body is not supported', retryable: false },
  'key-reused': { status: 422, title: 'Idempotency-Key was used for another request', retryable: false },
  'precondition-required': {
    status: 428,
    title: 'The request must name the version that it changes',
    retryable: false,
  },
  failed: { status: 500, title: 'The operation failed for good', retryable: false },
  undecodable: { status: 500, title: 'The recorded answer cannot be read', retryable: false },
  unavailable: { status: 503, title: 'Idempotency cannot be guaranteed right now', retryable: true },
  'not-running': { status: 503, title: 'The operation is not done, and is not running', retryable: true },
  draining: { status: 503, title: 'This server is shutting down', retryable: true },
} as const satisfies Record<string, Problem>

export type ProblemType = keyof typeof problems

export interface ProblemOptions {
  readonly docs: string
  readonly maxRetryAfterMs: number
}

/** The draft explains what each answer means; an application with a page of its own (`docs`) says more. */
export const DOCS = 'https://datatracker.ietf.org/doc/html/draft-ietf-httpapi-idempotency-key-header-07'

const utf8 = new TextEncoder()

const typeByCode: Partial<Record<IdempotencyErrorCode, ProblemType>> = {
  IDEMPOTENCY_KEY_REUSED: 'key-reused',
  IDEMPOTENCY_IN_PROGRESS: 'in-progress',
  IDEMPOTENCY_LEASE_LOST: 'lease-lost',
  IDEMPOTENCY_OUTCOME_UNKNOWN: 'outcome-unknown',
  IDEMPOTENCY_NOT_REPLAYABLE: 'not-replayable',
  IDEMPOTENCY_REPLAYED_FAILURE: 'failed',
  IDEMPOTENCY_MAX_ATTEMPTS: 'failed',
  IDEMPOTENCY_TRANSACTION_CONFLICT: 'conflict',
  IDEMPOTENCY_INVALID_TOKEN: 'key-invalid',
  IDEMPOTENCY_UNDECODABLE: 'undecodable',
  IDEMPOTENCY_DRAINING: 'draining',
  IDEMPOTENCY_STORE_UNAVAILABLE: 'unavailable',
  IDEMPOTENCY_STORE_CLOSED: 'unavailable',
}

/** The client's fault; an operation or a scope that cannot be used is not. */
const typeByField: Partial<Record<IdempotencyInvalidCallError['field'], ProblemType>> = {
  key: 'key-invalid',
  payload: 'body-invalid',
}

/** What went wrong inside is for the operator, who has the events; a client is told what to do. */
const details: Partial<Record<ProblemType, string>> = {
  conflict:
    'The write lost against another one, and left nothing behind. Send the same request again with the same key.',
  unavailable:
    'The record of this key cannot be reached. Nothing is lost: send the same request again with the same key.',
  undecodable: 'The request was handled before, and is not handled again under this key. Ask the operator.',
  failed: 'The request was handled before, and is not handled again under this key. Ask the operator.',
}

/** The response for an error of this library; `undefined` for what is the application's to handle. */
export function problemFor(error: unknown, { docs, maxRetryAfterMs }: ProblemOptions): HttpResponse | undefined {
  const type = typeOf(error)
  if (!type) return undefined
  const detail = details[type] ?? (error as Error).message
  if (problems[type].retryable) {
    const retryAfter = retryAfterSeconds(error, maxRetryAfterMs)
    return problemResponse(type, detail, docs, [['Retry-After', String(retryAfter)]], { retryAfter })
  }
  if (!isIdempotencyError(error, 'IDEMPOTENCY_NOT_REPLAYABLE')) return problemResponse(type, detail, docs)
  const headers: HeaderField[] = []
  const original = originalOf(error)
  if (original?.location !== undefined) headers.push(['Location', original.location])
  return problemResponse(type, detail, docs, headers, { original })
}

export function problemResponse(
  type: ProblemType,
  detail: string,
  docs: string,
  more: readonly HeaderField[] = [],
  members: Readonly<Record<string, unknown>> = {},
): HttpResponse {
  const { status, title, retryable } = problems[type]
  const instance = `urn:uuid:${crypto.randomUUID()}`
  const body = { type: withFragment(docs, type), title, status, detail, instance, retryable, ...members }
  const headers: HeaderField[] = [
    ['Content-Type', 'application/problem+json'],
    ['Cache-Control', 'no-store'],
    ['Link', `<${docs}>; rel="describedby"`],
  ]
  return { status, headers: [...headers, ...more], body: utf8.encode(JSON.stringify(body)) }
}

function typeOf(error: unknown): ProblemType | undefined {
  if (error instanceof Refusal) return error.reason
  if (isIdempotencyError(error, 'IDEMPOTENCY_INVALID_CALL')) return typeByField[error.field]
  return isIdempotencyError(error) ? typeByCode[error.code] : undefined
}

/** Whole seconds, at least one. */
function retryAfterSeconds(error: unknown, maxMs: number): number {
  const ms = isIdempotencyError(error, 'IDEMPOTENCY_IN_PROGRESS') ? Math.min(error.retryAfterMs, maxMs) : maxMs
  return Math.max(1, Math.ceil(ms / 1000))
}

/** What is known of an answer that was not kept. */
export interface AnswerSummary {
  readonly status: number
  readonly location?: string
}

function originalOf({ summary }: IdempotencyNotReplayableError): AnswerSummary | undefined {
  const { status, location } = (summary ?? {}) as { status?: unknown; location?: unknown }
  if (typeof status !== 'number') return undefined
  return typeof location === 'string' ? { status, location } : { status }
}

function withFragment(docs: string, fragment: string): string {
  const url = new URL(docs)
  url.hash = fragment
  return url.href
}
