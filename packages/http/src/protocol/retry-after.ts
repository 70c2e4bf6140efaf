/** The number of seconds after which a client is asked to come again: in `Retry-After` (RFC 9110, 10.2.3), and in bodies. */
import { isIdempotencyError } from '@retryproof/core'

/** Rounds up to whole seconds, at least one. */
export function retryAfterSeconds(ms: number): number {
  return Math.max(1, Math.ceil(ms / 1000))
}

/** Returns the seconds for an error: those left of the lease of an attempt in progress, and at most `maxMs`. */
export function retryAfterOf(error: unknown, maxMs: number): number {
  return retryAfterSeconds(
    isIdempotencyError(error, 'IDEMPOTENCY_IN_PROGRESS') ? Math.min(error.retryAfterMs, maxMs) : maxMs,
  )
}
