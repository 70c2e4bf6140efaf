/** Stores failures, and throws them again. */

import type { ErrorType } from '../api/serialization.ts'
import { IdempotencyMaxAttemptsError, IdempotencyReplayedFailureError, type StoredFailure } from '../errors.ts'

/**
 * Registers an error class, so that a stored failure is rethrown as one.
 *
 * @param name what stands in the record: keep it when the class is renamed
 * @param mapping `toData` takes what is to be kept (a JSON value), `fromData` makes the error again
 *
 * @example
 * import { createIdempotency, errorType } from '@retryproof/core'
 * import { memoryStore } from '@retryproof/memory'
 *
 * class CardDeclined extends Error {
 *   reason = 'unknown'
 * }
 *
 * createIdempotency({
 *   store: memoryStore(),
 *   namespace: 'payments',
 *   onFailure: 'store',
 *   errors: [
 *     errorType('CardDeclined', CardDeclined, {
 *       toData: ({ reason }) => reason,
 *       fromData: (reason: string, { message }) => Object.assign(new CardDeclined(message), { reason }),
 *     }),
 *   ],
 * })
 */
export function errorType<E extends Error, Data>(
  name: string,
  errorClass: abstract new (...args: never[]) => E,
  mapping: { readonly toData: (error: E) => Data; readonly fromData: (data: Data, failure: StoredFailure) => E },
): ErrorType {
  return {
    name,
    matches: (error) => error instanceof errorClass,
    toData: (error) => mapping.toData(error as E),
    fromData: (failure) => mapping.fromData(failure.data as Data, failure),
  }
}

/** Our own errors that are stored; always known. */
export const ownErrorTypes: readonly ErrorType[] = [
  errorType('retryproof.MaxAttempts', IdempotencyMaxAttemptsError, {
    toData: (error) => error.attempts,
    fromData: (attempts: number) => new IdempotencyMaxAttemptsError(attempts),
  }),
]

/** Returns the parts of an error that are kept: the registered class decides, else name, message and code. */
export function toStoredFailure(error: unknown, types: readonly ErrorType[]): StoredFailure {
  const type = types.find((candidate) => candidate.matches(error))
  const { name, message, code } = error instanceof Error ? (error as Error & { code?: unknown }) : plain(error)
  return {
    name: type?.name ?? String(name),
    message: String(message),
    ...(typeof code === 'string' || typeof code === 'number' ? { code } : {}),
    // null where there is nothing to keep: `data` is what tells a registered class from one that has its name
    ...(type ? { data: type.toData(error) ?? null } : {}),
  }
}

function plain(error: unknown): { name: string; message: string; code?: unknown } {
  return { name: 'Error', message: typeof error === 'string' ? error : 'A value that is no Error was thrown.' }
}

/** The error that a stored failure is thrown as. */
export function fromStoredFailure(failure: StoredFailure, types: readonly ErrorType[]): Error {
  const type = types.find((candidate) => candidate.name === failure.name && 'data' in failure)
  try {
    return type ? type.fromData(failure) : new IdempotencyReplayedFailureError(failure)
  } catch (cause) {
    return new IdempotencyReplayedFailureError(failure, { cause })
  }
}
