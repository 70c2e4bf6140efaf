/** Problems of RFC 9457: one for each outcome that is not an answer of the handler. docs/problems.md has a heading for each. */
import {
  type IdempotencyErrorCode,
  type IdempotencyInvalidCallError,
  type IdempotencyNotReplayableError,
  isIdempotencyError,
} from '@retryproof/core'
import { isRefusal } from './refusal.ts'
import { retryAfterOf } from './retry-after.ts'

interface ProblemKind {
  readonly status: number
  readonly title: string
  /** Tells a client what to do. Stands in the response, in docs/problems.md and in the description of a resource. */
  readonly advice: string
  /** The same request with the same key may succeed later. */
  readonly retryable: boolean
}

/** By the fragment of their type. */
export const problems = {
  'key-missing': {
    status: 400,
    title: 'Idempotency-Key is missing',
    advice: 'This operation requires an Idempotency-Key. Send a value that is new for each request, such as a UUID.',
    retryable: false,
  },
  'key-invalid': {
    status: 400,
    title: 'Idempotency-Key is malformed',
    advice: 'The key is empty, longer than 255 characters, sent twice, or not written as a key. Nothing was run.',
    retryable: false,
  },
  'callback-refused': {
    status: 400,
    title: 'The callback address is not allowed',
    advice: 'The callback must be an https address on an allowed host. Nothing was run.',
    retryable: false,
  },
  'body-invalid': {
    status: 400,
    title: 'The body cannot be fingerprinted',
    advice: 'The body is nested too deeply to be compared with another one. Nothing was run.',
    retryable: false,
  },
  unauthenticated: {
    status: 401,
    title: 'The caller is not known',
    advice: 'The request does not say who sends it, and a key belongs to its sender. Authenticate, and send it again.',
    retryable: false,
  },
  'unknown-operation': {
    status: 404,
    title: 'The operation does not exist',
    advice: 'No operation of this caller has this address, or its record has expired.',
    retryable: false,
  },
  'in-progress': {
    status: 409,
    title: 'A request with this Idempotency-Key is in progress',
    advice:
      'The first request with this key is still running. Send the same request again with the same key to get its answer.',
    retryable: true,
  },
  'lease-lost': {
    status: 409,
    title: 'Another attempt took over this Idempotency-Key',
    advice:
      'The lease of this attempt expired, and the attempt that took over has not settled yet. Send the same request again with the same key.',
    retryable: true,
  },
  conflict: {
    status: 409,
    title: 'The transaction lost a conflict',
    advice:
      'The transaction was rolled back because of a conflicting write. Send the same request again with the same key.',
    retryable: true,
  },
  'outcome-unknown': {
    status: 409,
    title: 'The outcome of an earlier attempt is unknown',
    advice: 'An earlier attempt was interrupted, and its effect is unknown. The operator has to resolve this key.',
    retryable: false,
  },
  'not-replayable': {
    status: 410,
    title: 'The answer was not recorded',
    advice:
      'The operation completed, but its answer was not recorded. The member original holds its status and Location.',
    retryable: false,
  },
  'precondition-failed': {
    status: 412,
    title: 'The resource has changed',
    advice: 'The resource has changed since the version that the request names. Read it again and decide anew.',
    retryable: false,
  },
  'body-too-large': {
    status: 413,
    title: 'The body is too large',
    advice: 'The body exceeds the size up to which the server fingerprints a request. Nothing was run.',
    retryable: false,
  },
  'body-unsupported': {
    status: 415,
    title: 'The body type is not supported',
    advice:
      'A multipart body differs each time it is sent, and this resource names no fields to compare. Nothing was run.',
    retryable: false,
  },
  'key-reused': {
    status: 422,
    title: 'Idempotency-Key was used for another request',
    advice: 'This key was used before with a different request. Nothing was run. Send a new key with a new request.',
    retryable: false,
  },
  'precondition-required': {
    status: 428,
    title: 'The request names no version',
    advice: 'The request must name the version that it changes: send If-Match with the ETag of the resource.',
    retryable: false,
  },
  failed: {
    status: 500,
    title: 'The operation failed for good',
    advice: 'The operation failed under this key and is not run again. Ask the operator.',
    retryable: false,
  },
  undecodable: {
    status: 500,
    title: 'The recorded answer cannot be read',
    advice: 'This key has a record that cannot be read, so the request is not run again. Ask the operator.',
    retryable: false,
  },
  unavailable: {
    status: 503,
    title: 'The idempotency store is unavailable',
    advice: 'The idempotency store cannot be reached. Send the same request again with the same key: nothing is lost.',
    retryable: true,
  },
  'not-running': {
    status: 503,
    title: 'The operation is not running',
    advice: 'The last attempt released the key without an answer. Send the original request again with the same key.',
    retryable: true,
  },
  draining: {
    status: 503,
    title: 'The server is shutting down',
    advice: 'The server accepts no new work while it shuts down. Send the same request again with the same key.',
    retryable: true,
  },
} as const satisfies Record<string, ProblemKind>

/** `'in-progress'`, `'key-reused'`, …: a heading of docs/problems.md. */
export type ProblemCode = keyof typeof problems

/** A problem as a client reads it, and as `problem` of a guard gets it. */
export interface Problem {
  readonly code: ProblemCode
  /** The address of its documentation. */
  readonly type: string
  readonly title: string
  readonly status: number
  /** Tells the client what to do. Names the same seconds as `retryAfter`. */
  readonly detail: string
  /** A `urn:uuid:` of this occurrence. */
  readonly instance: string
  /** The same request with the same key may succeed later. */
  readonly retryable: boolean
  /** The seconds of `Retry-After`, where it is retryable. */
  readonly retryAfter?: number
  /** The answer that was not recorded, where it is known. */
  readonly original?: AnswerSummary
}

/** Status and `Location` of an answer that was not recorded. */
export interface AnswerSummary {
  readonly status: number
  readonly location?: string
}

export interface ProblemOptions {
  readonly docs: string
  readonly maxRetryAfterMs: number
}

/** The page that explains each problem, unless an application has a page of its own (`docs`). */
export const DOCS = 'https://github.com/retryproof/retryproof/blob/main/docs/problems.md'

const codeByError: Partial<Record<IdempotencyErrorCode, ProblemCode>> = {
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

/** Calls that the client can correct. An operation or a scope that cannot be used is a fault of the application. */
const codeByField: Partial<Record<IdempotencyInvalidCallError['field'], ProblemCode>> = {
  key: 'key-invalid',
  payload: 'body-invalid',
}

/** Describes an error of this library as a problem. `undefined` for an error that the application has to handle. */
export function problemFor(error: unknown, { docs, maxRetryAfterMs }: ProblemOptions): Problem | undefined {
  const code = codeOf(error)
  if (!code) return undefined
  const { status, title, advice, retryable } = problems[code]
  const retryAfter = retryable ? retryAfterOf(error, maxRetryAfterMs) : undefined
  const original = originalOf(error)
  return {
    code,
    type: withFragment(docs, code),
    title,
    status,
    detail: retryAfter === undefined ? (detailOf(error) ?? advice) : `${advice} Retry after ${retryAfter} s.`,
    instance: `urn:uuid:${crypto.randomUUID()}`,
    retryable,
    ...(retryAfter !== undefined && { retryAfter }),
    ...(original && { original }),
  }
}

function codeOf(error: unknown): ProblemCode | undefined {
  if (isRefusal(error)) return error.reason
  if (isIdempotencyError(error, 'IDEMPOTENCY_INVALID_CALL')) return codeByField[error.field]
  return isIdempotencyError(error) ? codeByError[error.code] : undefined
}

/** The fault of this very request. Messages of other errors are for the operator, who has the events. */
function detailOf(error: unknown): string | undefined {
  if (isRefusal(error)) return error.detail
  return isIdempotencyError(error, 'IDEMPOTENCY_INVALID_CALL') ? error.message : undefined
}

function originalOf(error: unknown): AnswerSummary | undefined {
  if (!isIdempotencyError(error, 'IDEMPOTENCY_NOT_REPLAYABLE')) return undefined
  const { status, location } = ((error as IdempotencyNotReplayableError).summary ?? {}) as Record<string, unknown>
  if (typeof status !== 'number') return undefined
  return typeof location === 'string' ? { status, location } : { status }
}

function withFragment(docs: string, fragment: string): string {
  const url = new URL(docs)
  url.hash = fragment
  return url.href
}
