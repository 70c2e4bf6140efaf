import { type Idempotency, isIdempotencyError } from '@retryproof/core'

/** The instrumentation scope of every metric and span. */
export const SCOPE = '@retryproof/opentelemetry'

/** `error.type` of the semantic conventions: few values, and never a message. */
export function errorTypeOf(error: unknown): string {
  if (isIdempotencyError(error)) return error.code
  return error instanceof Error ? error.name : '_OTHER'
}

/** What is listened to: an instance of the core. */
export type Instrumented = Pick<Idempotency, 'on'>
