/** Errors of the client. Match on `code` with `isIntentError`: it survives bundling and two copies of the package. */

const BRAND = Symbol.for('retryproof.intent-error')

const DOCS = 'https://github.com/retryproof/retryproof/blob/main/docs/errors.md'

export type IntentErrorCode =
  | 'INTENT_CHANGED'
  | 'INTENT_EXPIRED'
  | 'INTENT_STORAGE'
  | 'INTENT_UNSENDABLE'
  | 'INTENT_UNREACHABLE'

/** The base of every error of the client. */
export class IntentError extends Error {
  readonly [BRAND] = true
  override readonly name: string = 'IntentError'
  readonly code: IntentErrorCode
  /** The address of the section of docs/errors.md about this code. */
  readonly help: string

  constructor(code: IntentErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
    this.help = `${DOCS}#${code.toLowerCase()}`
  }
}

/** The intent was sent before with another method, address, body or key. Nothing was sent by this call. */
export class IntentChangedError extends IntentError {
  override readonly name = 'IntentChangedError'

  constructor(intent: string) {
    super('INTENT_CHANGED', `'${intent}' was sent with something else before. Take another intent, or cancel this one.`)
  }
}

/** The server may have forgotten the key, and the outcome of the intent is unknown. Nothing was sent by this call. */
export class IntentExpiredError extends IntentError {
  override readonly name = 'IntentExpiredError'

  constructor(intent: string) {
    super(
      'INTENT_EXPIRED',
      `The outcome of '${intent}' is unknown, and its key is too old. Look it up, then call done.`,
    )
  }
}

/** The storage cannot keep the key: it is full, blocked, silent, or holds a foreign value. Nothing was sent. */
export class IntentStorageError extends IntentError {
  override readonly name = 'IntentStorageError'

  constructor(message: string, options?: ErrorOptions) {
    super('INTENT_STORAGE', message, options)
  }
}

/** The request cannot be sent twice (a stream), or not with a key. Nothing was sent. */
export class IntentUnsendableError extends IntentError {
  override readonly name = 'IntentUnsendableError'

  constructor(message: string, options?: ErrorOptions) {
    super('INTENT_UNSENDABLE', message, options)
  }
}

/** No try brought an answer. The request may have taken effect. The key is kept: call `fetch` again. */
export class IntentUnreachableError extends IntentError {
  override readonly name = 'IntentUnreachableError'
  readonly tries: number

  constructor(tries: number, cause: unknown, hint = '') {
    super(
      'INTENT_UNREACHABLE',
      `No answer in ${tries} ${tries === 1 ? 'try' : 'tries'}. The same intent may be sent again.${hint}`,
      { cause },
    )
    this.tries = tries
  }
}

interface IntentErrors {
  INTENT_CHANGED: IntentChangedError
  INTENT_EXPIRED: IntentExpiredError
  INTENT_STORAGE: IntentStorageError
  INTENT_UNSENDABLE: IntentUnsendableError
  INTENT_UNREACHABLE: IntentUnreachableError
}

/**
 * Tells whether a value is an error of the client, and of that code where one is given.
 * Recognizes errors of another copy of the package too.
 *
 * @example
 * import { createIdempotentFetch, isIntentError } from '@retryproof/client'
 *
 * const client = createIdempotentFetch()
 * try {
 *   await client.fetch('/charges', { intent: 'checkout-42', body: '{"amount":100}' })
 * } catch (error) {
 *   if (isIntentError(error, 'INTENT_UNREACHABLE')) console.log(`no answer in ${error.tries} tries`)
 * }
 */
export function isIntentError(error: unknown): error is IntentError
export function isIntentError<Code extends IntentErrorCode>(error: unknown, code: Code): error is IntentErrors[Code]
export function isIntentError(error: unknown, code?: IntentErrorCode): boolean {
  if (typeof error !== 'object' || error === null || !(BRAND in error)) return false
  return code === undefined || (error as IntentError).code === code
}
