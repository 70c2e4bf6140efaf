import { isIdempotencyError } from '@retryproof/core'

/** Returns `error.type` of the semantic conventions: a code or a class, and never a message. */
export function errorTypeOf(error: unknown): string {
  if (isIdempotencyError(error)) return error.code
  return error instanceof Error ? error.name : '_OTHER'
}
