/** Conditional writes of RFC 9110: a client that changes a resource names the version that it saw. */
import { IdempotencyInvalidOptionError } from '@retryproof/core'
import { type EntityTag, matchesStrongly, matchesWeakly, parseHttpDate, parseTag, parseTags } from './entity-tags.ts'
import { type HeaderField, type HttpResponse, headerValues } from './exchange.ts'
import { problemResponse } from './problem-response.ts'
import { DOCS, problemFor, problems } from './problems.ts'
import { Refusal } from './refusal.ts'

/** A request of Node's frameworks, or one of Fetch. */
export interface ConditionalRequest {
  readonly headers:
    | { get(name: string): string | null }
    | Readonly<Record<string, string | readonly string[] | undefined>>
}

/** The resource as it is now. A member that is left out decides nothing. */
export interface CurrentVersion {
  /** Its entity tag, with quotes: `'"7"'`, or `'W/"7"'` for one that does not tell all changes. Null: there is no resource. */
  readonly etag?: string | null
  readonly lastModified?: Date
}

/** The version that the client saw. */
export interface Expected {
  /**
   * The tags of `If-Match`, without quotes, for the `WHERE version = …` of the write itself; `'any'` for `If-Match: *`;
   * `undefined` where the client named none.
   */
  readonly versions: readonly string[] | 'any' | undefined
}

export interface PreconditionOptions {
  /** Refuses a request that names no version (428). @default false */
  readonly required?: boolean
}

/**
 * A precondition does not hold (412) or is missing (428). A guard answers it as it answers its own refusals; without a
 * guard, frameworks look at `status`, and `response` is the whole answer.
 */
export class PreconditionError extends Refusal {
  readonly status: number
  readonly statusCode: number
  readonly expose = true
  readonly response: HttpResponse

  constructor(reason: 'precondition-failed' | 'precondition-required') {
    super(reason, problems[reason].advice)
    this.name = 'PreconditionError'
    this.status = problems[reason].status
    this.statusCode = this.status
    this.response = responseOf(this)
  }
}

function responseOf(error: PreconditionError): HttpResponse {
  const problem = problemFor(error, { docs: DOCS, maxRetryAfterMs: 0 })
  if (problem) return problemResponse(problem)
  throw error
}

/**
 * Makes the error (412) for a write that hit no row, since another writer was faster.
 *
 * @example
 * import { preconditionFailed } from '@retryproof/http/precondition'
 *
 * export function requireRow(rowCount: number) {
 *   if (rowCount === 0) throw preconditionFailed()
 * }
 */
export function preconditionFailed(): PreconditionError {
  return new PreconditionError('precondition-failed')
}

/**
 * Checks `If-Match`, `If-Unmodified-Since` and `If-None-Match`, and returns the versions that the client expects.
 *
 * Another writer may come between this check and the write: put `versions` into the condition of the write itself.
 *
 * @throws {@link PreconditionError} when the precondition does not hold, or is required and missing
 * @throws {@link IdempotencyInvalidOptionError} when `etag` is no entity tag
 *
 * @example
 * import { precondition } from '@retryproof/http/precondition'
 *
 * export function versionsOf(request: Request) {
 *   return precondition(request, { etag: '"7"' }, { required: true }).versions
 * }
 */
export function precondition(
  request: ConditionalRequest,
  current: CurrentVersion = {},
  { required = false }: PreconditionOptions = {},
): Expected {
  const ifMatch = headerOf(request, 'if-match')
  const ifNoneMatch = headerOf(request, 'if-none-match')
  const ifUnmodifiedSince = headerOf(request, 'if-unmodified-since')
  if (required && ifMatch === undefined && ifNoneMatch === undefined && ifUnmodifiedSince === undefined) {
    throw preconditionRequired()
  }
  const tag = readTag(current.etag)
  const named = ifMatch === undefined ? undefined : (parseTags(ifMatch) ?? [])
  const holds = named === undefined ? isUnmodified(ifUnmodifiedSince, current.lastModified) : isAmong(tag, named)
  if (!holds || !isNoneOf(ifNoneMatch, tag, current)) throw preconditionFailed()
  return { versions: named === '*' ? 'any' : named?.filter(({ weak }) => !weak).map(({ opaque }) => opaque) }
}

export function preconditionRequired(): PreconditionError {
  return new PreconditionError('precondition-required')
}

/** Tells whether a request names a version at all. */
export function namesVersion(headers: readonly HeaderField[]): boolean {
  return ['if-match', 'if-none-match', 'if-unmodified-since'].some((name) =>
    headerValues(headers, name).some((value) => value.trim() !== ''),
  )
}

type CurrentTag = EntityTag | null | undefined

/** `If-Match`: strong comparison. If the current version is unknown, the write itself has to decide. */
function isAmong(current: CurrentTag, named: readonly EntityTag[] | '*'): boolean {
  if (current === null) return false
  if (named === '*') return true
  if (current === undefined) return named.some(({ weak }) => !weak)
  return named.some((tag) => matchesStrongly(tag, current))
}

/** `If-None-Match`: weak comparison. */
function isNoneOf(header: string | undefined, current: CurrentTag, { lastModified }: CurrentVersion): boolean {
  if (header === undefined || current === null) return true
  const named = parseTags(header)
  if (named === undefined) return false
  if (named === '*') return current === undefined && lastModified === undefined
  return current === undefined || !named.some((tag) => matchesWeakly(tag, current))
}

/** `If-Unmodified-Since` has whole seconds, and is ignored where it is no date. */
function isUnmodified(header: string | undefined, lastModified: Date | undefined): boolean {
  const since = header === undefined ? undefined : parseHttpDate(header)
  if (since === undefined || lastModified === undefined) return true
  return Math.floor(lastModified.getTime() / 1000) * 1000 <= since
}

function readTag(etag: string | null | undefined): CurrentTag {
  if (etag === undefined || etag === null) return etag
  const tag = parseTag(etag)
  if (tag) return tag
  throw new IdempotencyInvalidOptionError('etag', `must be an entity tag with its quotes, such as '"7"', got ${etag}`)
}

function headerOf({ headers }: ConditionalRequest, name: string): string | undefined {
  if (typeof headers.get === 'function') return headers.get(name) ?? undefined
  const value = (headers as Readonly<Record<string, string | readonly string[] | undefined>>)[name]
  return value === undefined || typeof value === 'string' ? value : value.join(', ')
}
