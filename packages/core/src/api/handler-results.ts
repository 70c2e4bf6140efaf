/**
 * Builders of the results and errors by which a handler says more than a plain value: release, unreplayable, rollBack,
 * notStarted, terminal. Each is recognized by a brand, so that two copies of the package understand each other.
 */
import { type Duration, toMs } from '../base/durations.ts'

const RELEASE = Symbol.for('retryproof.release')
const UNREPLAYABLE = Symbol.for('retryproof.unreplayable')
const ROLL_BACK = Symbol.for('retryproof.rollBack')
const NOT_STARTED = Symbol.for('retryproof.notStarted')
const TERMINAL = Symbol.for('retryproof.terminal')

/** A value for this caller only: nothing is recorded, and the key is released for another attempt. */
export interface Release<T> {
  readonly [RELEASE]: true
  readonly value: T
  readonly delayMs: number
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
  return { [RELEASE]: true, value, delayMs: toMs('delay', delay) }
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
 * `throw notStarted(error)`: this attempt fails with `error` and certainly had no effect, so the key is released.
 * Where takeovers park or ask, every other failure leaves the outcome unknown: the handler may have acted first.
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

export function isRelease<T>(returned: T | Release<T> | Unreplayable<T> | RollBack<T>): returned is Release<T> {
  return isBranded(returned, RELEASE)
}

export function isUnreplayable<T>(
  returned: T | Release<T> | Unreplayable<T> | RollBack<T>,
): returned is Unreplayable<T> {
  return isBranded(returned, UNREPLAYABLE)
}

export function isRollBack<T>(returned: T | Release<T> | Unreplayable<T> | RollBack<T>): returned is RollBack<T> {
  return isBranded(returned, ROLL_BACK)
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
