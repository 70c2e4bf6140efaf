/** Marks of guards on a request: several may stand one behind the other, and each learns of those further in. */
import { IdempotencyInvalidOptionError, type Release, release } from '@retryproof/core'
import { releaseAfter } from '@retryproof/core/internal'
import type { HttpResponse } from '../protocol/exchange.ts'
import type { ResolvedOptions } from './options/read-options.ts'
import type { HandlerAttempt } from './ports.ts'
import type { Asked } from './prepare-call.ts'

/** The mark of a guard whose attempt is under way. */
export interface Mark {
  readonly instance: object
  readonly name: string
  readonly key: string
  /** The rule of the nearest guard of the same operation and key. */
  records: ResolvedOptions<never, unknown>['records']
  /** A guard further in has answered: no handler is at work. */
  isAnswered: boolean
  /** Its refusal, such as that of a duplicate; undefined for a replay. */
  refusal?: Refusal
}

interface Refusal {
  readonly error: unknown
  /** Its handler ran, so that the outcome may be unknown. */
  readonly hasRun: boolean
}

const NOTES = Symbol('retryproof.notes')

/** The notes of all guards on a request. One object for all of them: on Express each member of a request takes a hidden class of its own. */
interface Notes {
  marks: readonly Mark[] | undefined
  attempt: HandlerAttempt | undefined
}

/** On the request itself, since a WeakMap of all requests would cost each garbage collection more. */
interface Noted {
  [NOTES]?: Notes
}

function notesOn(native: Noted): Notes {
  native[NOTES] ??= { marks: undefined, attempt: undefined }
  return native[NOTES]
}

/** Notes the attempt that handles the request. */
export function setAttempt(native: object, attempt: HandlerAttempt): void {
  notesOn(native).attempt = attempt
}

/**
 * The attempt that handles a request; `undefined` where the request passed without protection.
 *
 * @example
 * import { attemptFor } from '@retryproof/http'
 *
 * const providerKey = attemptFor(request)?.keyFor('charge')
 */
export function attemptFor(request: object): HandlerAttempt | undefined {
  return (request as Noted)[NOTES]?.attempt
}

/**
 * Tells whether the request has its attempt already, by a guard of the same operation and key further out. That guard decides, and
 * records by the rule of this one, which is nearer.
 *
 * @throws {@link IdempotencyInvalidOptionError} where this one has a transaction, which it could not open
 */
export function joinOuter<Tx>(
  native: Noted,
  instance: object,
  { name, call }: Asked<Tx>,
  { records, transaction }: Pick<ResolvedOptions<never, Tx>, 'records' | 'transaction'>,
): boolean {
  const outer = native[NOTES]?.marks?.find(
    (each) => each.instance === instance && each.name === name && each.key === call.key,
  )
  if (!outer) return false
  if (transaction) {
    throw new IdempotencyInvalidOptionError(
      'transaction',
      `cannot be set behind another guard of ${name}, which has begun the attempt: leave one of the two out`,
    )
  }
  outer.records = records
  return true
}

/** Marks the request for guards further in. Gives the marks of those further out. */
export function markRequest(native: Noted, mark: Mark): readonly Mark[] | undefined {
  const notes = notesOn(native)
  const { marks: outer } = notes
  notes.marks = outer ? [...outer, mark] : [mark]
  return outer
}

/** Takes the mark away: the same request object may be given to a handler again. */
export function unmarkRequest(native: Noted, outer: readonly Mark[] | undefined): void {
  notesOn(native).marks = outer
}

/** Tells the guards further out that this one answers. For a refusal they release their keys, and record nothing. */
export function tellAnswer(native: Noted, refusal?: Refusal): void {
  for (const outer of native[NOTES]?.marks ?? []) Object.assign(outer, { isAnswered: true, refusal })
}

/** Releases a key for an answer that is the refusal of a guard further in. */
export function releaseRefused({ error, hasRun }: Refusal, response: HttpResponse): Release<HttpResponse> {
  return hasRun ? releaseAfter(error, response) : release(response)
}
