/** Every error of the driver, the server or the network becomes one of the two that a store may throw. */
import type { IdempotencyError } from '@retryproof/core'
import { isIdempotencyError, StoreMisconfiguredError, StoreUnavailableError } from '@retryproof/core/store'

/** What stays wrong until somebody changes it, by the server's code. */
const ADVICE: Readonly<Record<number, string>> = {
  13: 'Give this user the role readWrite on the database.',
  18: 'Check user and password.',
  20: 'Transactions need a replica set.',
  85: 'Drop that index, or give the store a collection of its own.',
  121: 'Remove the validator of the collection.',
  40415: 'The store needs MongoDB 5.0 or later.',
}

/** What `cause` means to the caller of a store. Errors of this library stay what they are. */
export function toStoreError(cause: unknown, applied: 'no' | 'unknown'): IdempotencyError {
  if (isIdempotencyError(cause)) return cause
  const advice = ADVICE[codeOf(cause)]
  // named and not quoted: a refusal of the server may repeat the whole command, with the values that were to be stored
  if (advice) return new StoreMisconfiguredError(`MongoDB refused: ${nameOf(cause)}. ${advice}`)
  return new StoreUnavailableError(`MongoDB failed: ${String(cause)}`, { applied, cause })
}

interface ServerError {
  readonly code?: unknown
  readonly codeName?: unknown
  /** Where the driver says it in its own words. */
  readonly originalError?: ServerError
}

export function codeOf(error: unknown): number {
  const { code, originalError } = (error ?? {}) as ServerError
  return Number(code ?? originalError?.code)
}

function nameOf(error: unknown): string {
  const { codeName, originalError } = (error ?? {}) as ServerError
  return `${codeName ?? originalError?.codeName ?? 'error'} (${codeOf(error)})`
}

/** True where the server rolled the transaction back, so that the same again may succeed. */
export function isRolledBack(error: unknown): boolean {
  const { hasErrorLabel } = (error ?? {}) as { hasErrorLabel?(label: string): boolean }
  return hasErrorLabel?.call(error, 'TransientTransactionError') ?? false
}
