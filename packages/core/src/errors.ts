/**
 * Errors of the library: one class for each outcome that a caller handles differently.
 * Recognize one with `isIdempotencyError(error, code)`: it works across copies of the package, where `instanceof` fails.
 * Imports nothing. docs/errors.md has one heading for each code.
 */

/** Marks errors of this library, whichever copy of the package made them. */
const BRAND = Symbol.for('retryproof.error')

const DOCS = 'https://github.com/retryproof/retryproof/blob/main/docs/errors.md'

/** The base of every error of this library. */
export class IdempotencyError extends Error {
  readonly code: IdempotencyErrorCode
  /** The address of the section of docs/errors.md about this code. */
  readonly help: string

  constructor(code: IdempotencyErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = new.target.name
    this.code = code
    this.help = `${DOCS}#${code.toLowerCase()}`
  }

  /** Stays out of logs, which print own properties only. */
  get [BRAND](): true {
    return true
  }
}

/** The class that stands for each code. */
export interface IdempotencyErrors {
  IDEMPOTENCY_INVALID_CALL: IdempotencyInvalidCallError
  IDEMPOTENCY_INVALID_OPTION: IdempotencyInvalidOptionError
  IDEMPOTENCY_KEY_REUSED: IdempotencyKeyReusedError
  IDEMPOTENCY_IN_PROGRESS: IdempotencyInProgressError
  IDEMPOTENCY_LEASE_LOST: IdempotencyLeaseLostError
  IDEMPOTENCY_OUTCOME_UNKNOWN: IdempotencyOutcomeUnknownError
  IDEMPOTENCY_NOT_REPLAYABLE: IdempotencyNotReplayableError
  IDEMPOTENCY_REPLAYED_FAILURE: IdempotencyReplayedFailureError
  IDEMPOTENCY_MAX_ATTEMPTS: IdempotencyMaxAttemptsError
  IDEMPOTENCY_INVALID_STEP: IdempotencyInvalidStepError
  IDEMPOTENCY_INVALID_TOKEN: IdempotencyInvalidTokenError
  IDEMPOTENCY_NOT_PARKED: IdempotencyNotParkedError
  IDEMPOTENCY_UNDECODABLE: IdempotencyUndecodableError
  IDEMPOTENCY_DRAINING: IdempotencyDrainingError
  IDEMPOTENCY_STORE_UNAVAILABLE: StoreUnavailableError
  IDEMPOTENCY_STORE_MISCONFIGURED: StoreMisconfiguredError
  IDEMPOTENCY_STORE_CLOSED: StoreClosedError
  IDEMPOTENCY_UNSUPPORTED_ISOLATION: UnsupportedIsolationError
  IDEMPOTENCY_TRANSACTION_CONFLICT: TransactionConflictError
}

export type IdempotencyErrorCode = keyof IdempotencyErrors

/**
 * Tells whether a value is an error of this library, and of that code where one is given.
 * Recognizes errors of another copy of the package too.
 *
 * @example
 * import { isIdempotencyError } from '@retryproof/core'
 *
 * declare function charge(): Promise<void>
 * try {
 *   await charge()
 * } catch (error) {
 *   if (!isIdempotencyError(error, 'IDEMPOTENCY_IN_PROGRESS')) throw error
 *   console.log(`Retry in ${error.retryAfterMs} ms.`)
 * }
 */
export function isIdempotencyError(error: unknown): error is IdempotencyError
export function isIdempotencyError<Code extends IdempotencyErrorCode>(
  error: unknown,
  ...codes: readonly Code[]
): error is IdempotencyErrors[Code]
export function isIdempotencyError(error: unknown, ...codes: readonly IdempotencyErrorCode[]): boolean {
  try {
    if (typeof error !== 'object' || error === null || !(BRAND in error)) return false
    return codes.length === 0 || codes.includes((error as IdempotencyError).code)
  } catch {
    // a revoked proxy answers nothing
    return false
  }
}

/** A part of a call (operation, scope, key or payload) cannot be used. Nothing was run, nothing was stored. */
export class IdempotencyInvalidCallError extends IdempotencyError {
  readonly field: 'operation' | 'scope' | 'key' | 'payload'

  constructor(field: IdempotencyInvalidCallError['field'], message: string) {
    super('IDEMPOTENCY_INVALID_CALL', message)
    this.field = field
  }
}

/** An option is missing, out of range or contradicts another. Thrown at construction wherever that is possible. */
export class IdempotencyInvalidOptionError extends IdempotencyError {
  readonly option: string

  constructor(option: string, message: string) {
    super('IDEMPOTENCY_INVALID_OPTION', `${option}: ${message}`)
    this.option = option
  }
}

/** The key was used before with another payload. Nothing changed; send a new key for a new request. */
export class IdempotencyKeyReusedError extends IdempotencyError {
  constructor(message = 'This idempotency key was used before with a different payload. Use a new key.') {
    super('IDEMPOTENCY_KEY_REUSED', message)
  }
}

/** Another attempt holds the key. Try again after `retryAfterMs`. */
export class IdempotencyInProgressError extends IdempotencyError {
  /** The rest of the lease (or of a release delay), in milliseconds. */
  readonly retryAfterMs: number

  constructor(retryAfterMs: number) {
    super(
      'IDEMPOTENCY_IN_PROGRESS',
      `Another attempt with this idempotency key is in progress. Retry in ${retryAfterMs} ms.`,
    )
    this.retryAfterMs = retryAfterMs
  }
}

/** The lease of this attempt expired, another attempt took over, and has not settled yet. Retry with the same key. */
export class IdempotencyLeaseLostError extends IdempotencyError {
  constructor(message: string, options?: ErrorOptions) {
    super('IDEMPOTENCY_LEASE_LOST', message, options)
  }
}

/** Nobody knows whether the effect happened. The key answers this until a person or a resolver decides. */
export class IdempotencyOutcomeUnknownError extends IdempotencyError {
  constructor(
    message = 'An earlier attempt was interrupted, and its outcome is unknown until it is resolved.',
    options?: ErrorOptions,
  ) {
    super('IDEMPOTENCY_OUTCOME_UNKNOWN', message, options)
  }
}

/** The operation completed, but its value was not kept: it was too large, not serializable, or marked `unreplayable`. */
export class IdempotencyNotReplayableError extends IdempotencyError {
  /** Why there is no value: `'unreplayable'`, `'too-large'`, `'not-serializable'`, or `'not-encodable'` where a codec failed. */
  readonly reason: string
  /** The summary that was kept instead of the value, if any. */
  readonly summary: unknown

  constructor(reason: string, summary?: unknown) {
    super(
      'IDEMPOTENCY_NOT_REPLAYABLE',
      `The operation completed earlier, but its result cannot be replayed (${reason}).`,
    )
    this.reason = reason
    this.summary = summary
  }
}

/** A stored failure of a class that is not registered, or could not be made again (`cause`). */
export class IdempotencyReplayedFailureError extends IdempotencyError {
  /** Name, message and code of the original error. */
  readonly failure: StoredFailure

  constructor(failure: StoredFailure, options?: ErrorOptions) {
    super('IDEMPOTENCY_REPLAYED_FAILURE', failure.message, options)
    this.failure = failure
  }
}

/** The parts of an error that `onFailure: 'store'` keeps. */
export interface StoredFailure {
  readonly name: string
  readonly message: string
  readonly code?: string | number
  /** Data that the registered class kept (see `errorType`). */
  readonly data?: unknown
}

/** The operation was attempted `attempts` times and never came to an end. It is not attempted again. */
export class IdempotencyMaxAttemptsError extends IdempotencyError {
  readonly attempts: number

  constructor(attempts: number) {
    super(
      'IDEMPOTENCY_MAX_ATTEMPTS',
      `This operation failed ${attempts} times, and is not attempted again under this key.`,
    )
    this.attempts = attempts
  }
}

/** The steps of an attempt do not fit: those of an earlier attempt, one another, or into a checkpoint. */
export class IdempotencyInvalidStepError extends IdempotencyError {
  constructor(message: string, options?: ErrorOptions) {
    super('IDEMPOTENCY_INVALID_STEP', message, options)
  }
}

/** A one-time token that cannot be redeemed: no token of ours, one for another purpose or scope, or one whose time is over. */
export class IdempotencyInvalidTokenError extends IdempotencyError {
  readonly reason: 'malformed' | 'forged' | 'expired'

  constructor(reason: IdempotencyInvalidTokenError['reason']) {
    super('IDEMPOTENCY_INVALID_TOKEN', `This token is ${reason}: ask for a new one.`)
    this.reason = reason
  }
}

/** `resolve` found nothing that waits for a resolution. */
export class IdempotencyNotParkedError extends IdempotencyError {
  /** @param current describes the state in which the record is */
  constructor(current: string) {
    super('IDEMPOTENCY_NOT_PARKED', `Only a parked record can be resolved; this one is ${current}.`)
  }
}

/** A record exists, but what it holds cannot be read. The operation is not run again. */
export class IdempotencyUndecodableError extends IdempotencyError {
  constructor(message: string, options?: ErrorOptions) {
    super('IDEMPOTENCY_UNDECODABLE', message, options)
  }
}

/** The instance is shutting down: it replays, and takes no new work. */
export class IdempotencyDrainingError extends IdempotencyError {
  constructor() {
    super('IDEMPOTENCY_DRAINING', 'This process is shutting down and takes no new work. Retry with the same key.')
  }
}

/**
 * The store cannot do now, or cannot know: it is down, failing over, read-only for now, starting up or shutting down, or
 * no connection is to be had. A repeat with the same key is safe, and may succeed.
 */
export class StoreUnavailableError extends IdempotencyError {
  /** `'no'`: nothing changed. `'unknown'`: the change may have taken effect. */
  readonly applied: 'no' | 'unknown'

  constructor(message: string, options: { applied: 'no' | 'unknown'; cause?: unknown }) {
    super('IDEMPOTENCY_STORE_UNAVAILABLE', message, 'cause' in options ? { cause: options.cause } : undefined)
    this.applied = options.applied
  }
}

/** The store will not work until somebody changes something: a missing table, another layout, a client in the wrong mode. */
export class StoreMisconfiguredError extends IdempotencyError {
  constructor(message: string, options?: ErrorOptions) {
    super('IDEMPOTENCY_STORE_MISCONFIGURED', message, options)
  }
}

/** The application ended the pool, client or connection of the store. Nothing was sent, and a repeat in this process never will be. */
export class StoreClosedError extends IdempotencyError {
  constructor(message: string, options?: ErrorOptions) {
    super('IDEMPOTENCY_STORE_CLOSED', message, options)
  }
}

/**
 * The caller's transaction reads a snapshot in which the record may be out of date, so that the store cannot answer in it.
 * Roll back, and open the transaction at an isolation level that the message names.
 */
export class UnsupportedIsolationError extends IdempotencyError {
  constructor(message: string, options?: ErrorOptions) {
    super('IDEMPOTENCY_UNSUPPORTED_ISOLATION', message, options)
  }
}

/**
 * A store's `transaction` was rolled back because another one came between. `'conflict'` (a deadlock, a serialization
 * failure, a write conflict): the same again may succeed. `'lock-timeout'`: another transaction holds the record.
 */
export class TransactionConflictError extends IdempotencyError {
  readonly reason: 'conflict' | 'lock-timeout'

  constructor(message: string, options: { reason: 'conflict' | 'lock-timeout'; cause?: unknown }) {
    super('IDEMPOTENCY_TRANSACTION_CONFLICT', message, 'cause' in options ? { cause: options.cause } : undefined)
    this.reason = options.reason
  }
}
