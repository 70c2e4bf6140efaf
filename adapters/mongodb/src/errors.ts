/** Maps errors of the driver, the server and the network to the errors of the store port: unavailable, misconfigured, closed. */
import type { IdempotencyError } from '@retryproof/core'
import {
  isIdempotencyError,
  StoreClosedError,
  StoreMisconfiguredError,
  StoreUnavailableError,
} from '@retryproof/core/store'

/** Advice for errors that last until somebody changes something, by the server's code. */
const ADVICE: Readonly<Record<number, string>> = {
  13: 'Give this user the role readWrite on the database.',
  18: 'Check user and password.',
  20: 'Transactions need a replica set: start the server as one, of one member at least.',
  73: 'Give the collection a valid name.',
  85: 'Drop that index, or give the store a collection of its own.',
  86: 'Drop that index, or give the store a collection of its own.',
  121: 'Remove the validator of the collection.',
  166: 'Give the store a collection of its own: this one is a view.',
  8000: 'Check user, password and privileges.',
  40415: 'The store needs MongoDB 5.0 or later.',
}

export const DUPLICATE_KEY = 11000

/** Names of the driver's errors after the application closed its client. */
const CLOSED = ['MongoClientClosedError', 'MongoNotConnectedError', 'MongoTopologyClosedError']

/** Maps `cause`. Returns errors of this library as they are. */
export function toStoreError(cause: unknown, applied: 'no' | 'unknown'): IdempotencyError {
  if (isIdempotencyError(cause)) return cause
  if (CLOSED.includes((cause as Error | null)?.name ?? '')) {
    return new StoreClosedError('MongoDB: the client is closed. Close it after the last call.', { cause })
  }
  const advice = ADVICE[codeOf(cause)]
  // the server's message is left out: it may repeat the whole command, with the values that were to be stored
  if (advice) return new StoreMisconfiguredError(`MongoDB refused: ${nameOf(cause)}. ${advice}`)
  return new StoreUnavailableError(`MongoDB failed: ${String(cause)}`, { applied, cause })
}

/** Maps an error of a commit. A client that was closed meanwhile says nothing of what took effect. */
export function toCommitError(cause: unknown): IdempotencyError {
  const known = toStoreError(cause, 'unknown')
  if (!isIdempotencyError(known, 'IDEMPOTENCY_STORE_CLOSED')) return known
  return new StoreUnavailableError(`MongoDB failed: ${String(cause)}`, { applied: 'unknown', cause })
}

/** Names of the driver's errors where a connection was lost, or none could be had. */
const CONNECTION_LOST = [
  'MongoNetworkError',
  'MongoNetworkTimeoutError',
  'MongoPoolClearedError',
  'PoolClearedOnNetworkError',
  'MongoServerSelectionError',
]

/**
 * Tells whether an error of work in a transaction says that its connection was lost. The driver gives it no label where the
 * loss of another connection has cleared the pool before.
 */
export function isConnectionLost(error: unknown): boolean {
  return CONNECTION_LOST.includes((error as Error | null)?.name ?? '')
}

interface BulkWriteError {
  readonly writeErrors?: readonly { readonly index: number }[]
  readonly result?: { readonly upsertedIds: object; getWriteConcernError(): unknown }
  /** The error of the whole command, which the driver wrapped. */
  readonly errorResponse?: unknown
}

/**
 * Tells from an error of a `bulkWrite` which of its updates failed, each by itself and with nothing changed, and which inserted
 * a document.
 *
 * @throws the error of the whole command, if it is one
 */
export function failedOf(error: unknown): { readonly upsertedIds: object; readonly failed: readonly number[] } {
  const { writeErrors = [], result, errorResponse } = (error ?? {}) as BulkWriteError
  if (!result || writeErrors.length === 0 || result.getWriteConcernError()) {
    throw errorResponse instanceof Error ? errorResponse : error
  }
  return { upsertedIds: result.upsertedIds, failed: writeErrors.map(({ index }) => index) }
}

interface ServerError {
  readonly code?: unknown
  readonly codeName?: unknown
  /** The server's error, if the driver wrapped it. */
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

/** Tells whether the server rolled the transaction back, so that the same again may succeed. */
export function isRolledBack(error: unknown): boolean {
  const { hasErrorLabel } = (error ?? {}) as { hasErrorLabel?(label: string): boolean }
  return hasErrorLabel?.call(error, 'TransientTransactionError') ?? false
}
