/**
 * Builders of the results and errors by which a handler says more than a plain value: release, unreplayable, rollBack,
 * notStarted, terminal. Each is recognized by a brand, so that two copies of the package understand each other.
 */
import { type Duration, toMs } from '../base/durations.ts'

const RELEASE = Symbol.for('retryproof.release')
const UNREPLAYABLE = Symbol.for('retryproof.unreplayable')
const ROLL_BACK = Symbol.for('retryproof.rollBack')
const FAIL_AND_ANSWER = Symbol.for('retryproof.failAndAnswer')
const NOT_STARTED = Symbol.for('retryproof.notStarted')
const TERMINAL = Symbol.for('retryproof.terminal')

/** A value for this caller only: nothing is recorded, and the key is released for another attempt. */
export interface Release<T> {
  readonly [RELEASE]: true
  readonly value: T
  readonly delayMs: number
  /** True where nobody can say that the attempt had no effect. */
  readonly unresolved: boolean
}

/** A value for this caller only; the key is completed, and a replay throws `IdempotencyNotReplayableError`. */
export interface Unreplayable<T> {
  readonly [UNREPLAYABLE]: true
  readonly value: T
  readonly summary: unknown
}

/** In a transaction: rolls the business write back, and continues as if a plain handler had returned this. */
export interface RollBack<T> {
  readonly [ROLL_BACK]: true
  readonly returned: T | Release<T> | Unreplayable<T>
}

/** In a transaction: fails with `error`, and answers its caller all the same. */
export interface FailAndAnswer<T> {
  readonly [FAIL_AND_ANSWER]: true
  readonly error: unknown
  readonly answer: () => Promise<T | Release<T> | Unreplayable<T>>
}

/** The results that the work of a transaction may return. */
export type WorkResult<T> = T | Release<T> | Unreplayable<T> | RollBack<T> | FailAndAnswer<T>

/** An error before any effect. */
export interface NotStarted {
  readonly [NOT_STARTED]: true
  readonly error: unknown
}

/** An error that a retry cannot cure. */
export interface Terminal {
  readonly [TERMINAL]: true
  readonly error: unknown
}

/**
 * Answers this caller, records nothing, and releases the key: the next call runs again, not before `delay`.
 *
 * @example
 * import { release } from '@retryproof/core'
 *
 * const handler = async () => release({ status: 'try later' }, { delay: '5s' })
 */
export function release<T>(value: T, { delay = 0 }: { readonly delay?: Duration } = {}): Release<T> {
  return { [RELEASE]: true, value, delayMs: toMs('delay', delay), unresolved: false }
}

/** Releases the key as a throw of `error` does, and answers this caller all the same. */
export function releaseAfter<T>(error: unknown, value: T): Release<T> {
  return { [RELEASE]: true, value, delayMs: 0, unresolved: !isNotStarted(error) }
}

/**
 * Answers this caller and records that the operation is done, without its value. Keeps `summary` (small) instead.
 *
 * @example
 * import { unreplayable } from '@retryproof/core'
 *
 * const handler = async () => unreplayable({ secret: 'shown once' }, { shown: true })
 */
export function unreplayable<T>(value: T, summary?: unknown): Unreplayable<T> {
  return { [UNREPLAYABLE]: true, value, summary }
}

/**
 * In a transaction: undoes what the work wrote, and then records `returned` (or releases, where it is `release(…)`):
 * a refusal that leaves no write behind.
 *
 * @example
 * import { rollBack } from '@retryproof/core'
 *
 * const work = async () => rollBack({ declined: true })
 */
export function rollBack<T>(returned: RollBack<T>['returned']): RollBack<T> {
  return { [ROLL_BACK]: true, returned }
}

/**
 * In a transaction: rolls back as a throw of `error` does, and runs the work again where that was a conflict. Otherwise
 * calls `answer` after the rollback, and continues as if a plain handler had returned what it gives.
 */
export function failAndAnswer<T>(error: unknown, answer: FailAndAnswer<T>['answer']): FailAndAnswer<T> {
  return { [FAIL_AND_ANSWER]: true, error, answer }
}

/**
 * `throw notStarted(error)`: this attempt fails with `error` and certainly had no effect, so the key is released.
 * Every other failure leaves the outcome unknown if takeovers park or ask: the handler may have acted first.
 *
 * @example
 * import { notStarted } from '@retryproof/core'
 *
 * const handler = async () => {
 *   throw notStarted(new Error('The account is locked.'))
 * }
 */
export function notStarted(error: unknown): NotStarted {
  return { [NOT_STARTED]: true, error }
}

/**
 * `throw terminal(error)`: this attempt fails with `error` for good. The failure is recorded and replayed, whatever
 * `onFailure` says of other errors.
 *
 * @example
 * import { terminal } from '@retryproof/core'
 *
 * const handler = async () => {
 *   throw terminal(new Error('The card was declined.'))
 * }
 */
export function terminal(error: unknown): Terminal {
  return { [TERMINAL]: true, error }
}

/** Gives the error that a handler threw, without what `notStarted` or `terminal` says of it. */
export function errorOf(thrown: unknown): unknown {
  return isNotStarted(thrown) || isTerminal(thrown) ? thrown.error : thrown
}

export function isRelease<T>(returned: WorkResult<T>): returned is Release<T> {
  return isBranded(returned, RELEASE)
}

export function isUnreplayable<T>(returned: WorkResult<T>): returned is Unreplayable<T> {
  return isBranded(returned, UNREPLAYABLE)
}

export function isRollBack<T>(returned: WorkResult<T>): returned is RollBack<T> {
  return isBranded(returned, ROLL_BACK)
}

export function isFailAndAnswer<T>(returned: WorkResult<T>): returned is FailAndAnswer<T> {
  return isBranded(returned, FAIL_AND_ANSWER)
}

export function isNotStarted(thrown: unknown): thrown is NotStarted {
  return isBranded(thrown, NOT_STARTED)
}

export function isTerminal(thrown: unknown): thrown is Terminal {
  return isBranded(thrown, TERMINAL)
}

function isBranded(value: unknown, brand: symbol): boolean {
  return typeof value === 'object' && value !== null && brand in value
}
