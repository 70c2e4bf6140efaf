/**
 * Everything that can go wrong, one class for each outcome that a caller handles differently.
 * Match on `code`: it survives bundling and two copies of the package. docs/errors.md has a heading for each.
 */
import { describeState } from './engine/call/describe-state.ts'
import type { RecordView } from './store/store.ts'

export type IdempotencyErrorCode =
  | 'INVALID_CALL'
  | 'INVALID_OPTION'
  | 'MISMATCH'
  | 'IN_PROGRESS'
  | 'LEASE_LOST'
  | 'OUTCOME_UNKNOWN'
  | 'NOT_REPLAYABLE'
  | 'REPLAYED_FAILURE'
  | 'UNDECODABLE'
  | 'DRAINING'
  | 'STORE_UNAVAILABLE'
  | 'STORE_MISCONFIGURED'
  | 'UNSUPPORTED_ISOLATION'
  | 'TRANSACTION_CONFLICT'
  | 'POISONED'
  | 'NOT_PARKED'
  | 'INVALID_STEP'
  | 'INVALID_TOKEN'

/** The base of every error of this library. */
export class IdempotencyError extends Error {
  readonly code: IdempotencyErrorCode

  constructor(code: IdempotencyErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = new.target.name
    this.code = code
  }
}

/** A part of a call (operation, scope, key or payload) cannot be used. Nothing was run, nothing was stored. */
export class InvalidCallError extends IdempotencyError {
  readonly field: 'operation' | 'scope' | 'key' | 'payload'

  constructor(field: InvalidCallError['field'], message: string) {
    super('INVALID_CALL', message)
    this.field = field
  }
}

/** An option is missing, out of range or contradicts another. Thrown at construction wherever that is possible. */
export class InvalidOptionError extends IdempotencyError {
  readonly option: string

  constructor(option: string, message: string) {
    super('INVALID_OPTION', `${option}: ${message}`)
    this.option = option
  }
}

/** The key was used before with another payload. Nothing changed; send a new key for a new request. */
export class MismatchError extends IdempotencyError {
  constructor(message = 'This idempotency key was used before with a different payload. Use a new key.') {
    super('MISMATCH', message)
  }
}

/** Another attempt holds the key. Try again after `retryAfterMs`. */
export class InProgressError extends IdempotencyError {
  /** What is left of the lease (or of a release delay), in milliseconds. */
  readonly retryAfterMs: number

  constructor(retryAfterMs: number) {
    super('IN_PROGRESS', `Another attempt with this idempotency key is in progress. Retry in ${retryAfterMs} ms.`)
    this.retryAfterMs = retryAfterMs
  }
}

/** This attempt fell silent, another took over, and its result is not known yet. Retry with the same key. */
export class LeaseLostError extends IdempotencyError {
  constructor(message: string, options?: ErrorOptions) {
    super('LEASE_LOST', message, options)
  }
}

/** Nobody knows whether the effect happened. The key answers this until a person or a resolver decides. */
export class OutcomeUnknownError extends IdempotencyError {
  constructor(
    message = 'An earlier attempt was interrupted, and its outcome is unknown until it is resolved.',
    options?: ErrorOptions,
  ) {
    super('OUTCOME_UNKNOWN', message, options)
  }
}

/** The operation completed, but its value was not kept: it was too large, not serialisable, or marked `unreplayable`. */
export class NotReplayableError extends IdempotencyError {
  /** Why there is no value: `'unreplayable'`, `'too large'`, `'not serialisable'`, or `'not encodable'` where a codec failed. */
  readonly reason: string
  /** What was kept instead of the value, if anything. */
  readonly summary: unknown

  constructor(reason: string, summary?: unknown) {
    super('NOT_REPLAYABLE', `The operation completed earlier, but its result cannot be replayed (${reason}).`)
    this.reason = reason
    this.summary = summary
  }
}

/** A stored failure of a class that is not registered, or could not be made again (`cause`). */
export class ReplayedFailureError extends IdempotencyError {
  /** Name, message and code of the original error. */
  readonly failure: StoredFailure

  constructor(failure: StoredFailure, options?: ErrorOptions) {
    super('REPLAYED_FAILURE', failure.message, options)
    this.failure = failure
  }
}

/** What is kept of an error by `onFailure: 'store'`. */
export interface StoredFailure {
  readonly name: string
  readonly message: string
  readonly code?: string | number
  /** What the registered class wrote (see `errorType`). */
  readonly data?: unknown
}

/** The operation was attempted `attempts` times and never came to an end. It is not attempted again. */
export class PoisonedError extends IdempotencyError {
  readonly attempts: number

  constructor(attempts: number) {
    super('POISONED', `This operation failed ${attempts} times, and is not attempted again under this key.`)
    this.attempts = attempts
  }
}

/** The steps of an attempt do not fit: those of an earlier attempt, one another, or into a checkpoint. */
export class InvalidStepError extends IdempotencyError {
  constructor(message: string, options?: ErrorOptions) {
    super('INVALID_STEP', message, options)
  }
}

/** A one-time token that cannot be redeemed: no token of ours, one for another purpose or scope, or one whose time is over. */
export class InvalidTokenError extends IdempotencyError {
  readonly reason: 'malformed' | 'forged' | 'expired'

  constructor(reason: InvalidTokenError['reason']) {
    super('INVALID_TOKEN', `This token is ${reason}: ask for a new one.`)
    this.reason = reason
  }
}

/** `resolve` found nothing that waits for a resolution. */
export class NotParkedError extends IdempotencyError {
  constructor(current: RecordView | null) {
    super('NOT_PARKED', `Only a parked record can be resolved; this one is ${describeState(current)}.`)
  }
}

/** A record exists, but what it holds cannot be read. The operation is not run again. */
export class UndecodableError extends IdempotencyError {
  constructor(message: string, options?: ErrorOptions) {
    super('UNDECODABLE', message, options)
  }
}

/** The instance is shutting down: it replays, and takes no new work. */
export class DrainingError extends IdempotencyError {
  constructor() {
    super('DRAINING', 'This process is shutting down and takes no new work. Retry with the same key.')
  }
}

/** The store could not do, or cannot know. A repeat with the same key is safe. */
export class StoreUnavailableError extends IdempotencyError {
  /** `'no'`: nothing changed. `'unknown'`: the change may have taken effect. */
  readonly applied: 'no' | 'unknown'

  constructor(message: string, options: { applied: 'no' | 'unknown'; cause?: unknown }) {
    super('STORE_UNAVAILABLE', message, 'cause' in options ? { cause: options.cause } : undefined)
    this.applied = options.applied
  }
}

/** The store will not work until somebody changes something: a missing table, another layout, a client in the wrong mode. */
export class StoreMisconfiguredError extends IdempotencyError {
  constructor(message: string, options?: ErrorOptions) {
    super('STORE_MISCONFIGURED', message, options)
  }
}

/**
 * The caller's transaction reads a snapshot in which the record may be out of date, so that the store cannot answer in it.
 * Roll back, and open the transaction at an isolation level that the message names.
 */
export class UnsupportedIsolationError extends IdempotencyError {
  constructor(message: string, options?: ErrorOptions) {
    super('UNSUPPORTED_ISOLATION', message, options)
  }
}

/**
 * A store's `transaction` was rolled back because another one came between. `'conflict'` (a deadlock, a serialisation
 * failure, a write conflict): the same again may succeed. `'lock timeout'`: another transaction holds the record.
 */
export class TransactionConflictError extends IdempotencyError {
  readonly reason: 'conflict' | 'lock timeout'

  constructor(message: string, options: { reason: 'conflict' | 'lock timeout'; cause?: unknown }) {
    super('TRANSACTION_CONFLICT', message, 'cause' in options ? { cause: options.cause } : undefined)
    this.reason = options.reason
  }
}
