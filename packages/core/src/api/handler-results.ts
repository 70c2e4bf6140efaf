/** What a handler may return besides its plain value. */
import { type Duration, toMs } from '../base/durations.ts'

/** An answer for this caller only: nothing is recorded, and the key is released for another attempt. */
export class HandBack<T> {
  readonly value: T
  readonly delayMs: number

  constructor(value: T, delayMs: number) {
    this.value = value
    this.delayMs = delayMs
  }
}

/** A value for this caller only; the key is completed, and a replay throws `NotReplayableError`. */
export class Unreplayable<T> {
  readonly value: T
  readonly summary: unknown

  constructor(value: T, summary: unknown) {
    this.value = value
    this.summary = summary
  }
}

/** An error that says that nothing had happened yet. */
export class NotStarted {
  readonly error: unknown

  constructor(error: unknown) {
    this.error = error
  }
}

/**
 * `throw notStarted(error)`: this attempt fails with `error`, and certainly had no effect. Where takeovers are parked or
 * asked about, any other failure leaves the outcome unknown, since the handler may have acted before it threw.
 */
export function notStarted(error: unknown): NotStarted {
  return new NotStarted(error)
}

/** In a transaction: roll the business write back, and go on as if a plain handler had returned this. */
export class RollBack<T> {
  readonly returned: T | HandBack<T> | Unreplayable<T>

  constructor(returned: RollBack<T>['returned']) {
    this.returned = returned
  }
}

/**
 * In a transaction: undoes what the work wrote, and then records `returned` (or hands it back, where it is `handBack`):
 * an answer that says no, and leaves no write behind.
 */
export function rollBack<T>(returned: T | HandBack<T> | Unreplayable<T>): RollBack<T> {
  return new RollBack(returned)
}

/** Answers this caller, records nothing, and lets the next call run again, not before `delay`. Nothing is unknown. */
export function handBack<T>(value: T, { delay = 0 }: { readonly delay?: Duration } = {}): HandBack<T> {
  return new HandBack(value, toMs('delay', delay))
}

/** Answers this caller and records that the operation is done, without its value. `summary` (small) is kept instead. */
export function unreplayable<T>(value: T, summary?: unknown): Unreplayable<T> {
  return new Unreplayable(value, summary)
}
