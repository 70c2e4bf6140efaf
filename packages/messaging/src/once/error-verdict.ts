/** Verdicts on a message after an error of the core. */
import { isIdempotencyError } from '@retryproof/core'
import { type Delays, growingDelay, MARGIN_MS } from './redelivery-delay.ts'
import type { DeadLetter, DeadLetterReason, Duplicate, Redeliver } from './verdict.ts'

type Judgement = Duplicate | Redeliver | { readonly action: 'bury'; readonly letter: DeadLetter }

/** Returns null for an error that says nothing of the message. */
export function judge(error: unknown, delays: Delays, deliveries: number): Judgement | null {
  const delayMs = growingDelay(delays, deliveries)
  const redeliver = (because: Redeliver['because'], ms = delayMs): Redeliver => ({
    action: 'redeliver',
    delayMs: ms,
    because,
    error,
  })
  const bury = (reason: DeadLetterReason, description: string): Judgement => ({
    action: 'bury',
    letter: { reason, description, error },
  })
  if (isIdempotencyError(error, 'IDEMPOTENCY_NOT_REPLAYABLE')) return { action: 'ack', because: 'duplicate' }
  if (isIdempotencyError(error, 'IDEMPOTENCY_IN_PROGRESS')) {
    return redeliver('in-progress', Math.min(delayMs, error.retryAfterMs + MARGIN_MS))
  }
  if (isIdempotencyError(error, 'IDEMPOTENCY_LEASE_LOST')) return redeliver('in-progress')
  if (isIdempotencyError(error, 'IDEMPOTENCY_DRAINING')) return redeliver('draining')
  if (
    isIdempotencyError(
      error,
      'IDEMPOTENCY_STORE_UNAVAILABLE',
      'IDEMPOTENCY_STORE_CLOSED',
      'IDEMPOTENCY_TRANSACTION_CONFLICT',
    )
  ) {
    return redeliver('unavailable')
  }
  if (isIdempotencyError(error, 'IDEMPOTENCY_KEY_REUSED')) {
    return bury('key-reused', 'Another message with this id and another payload was here before.')
  }
  if (isIdempotencyError(error, 'IDEMPOTENCY_OUTCOME_UNKNOWN')) {
    return bury('outcome-unknown', 'An attempt was interrupted, and a person or a resolver has to say what it did.')
  }
  if (isIdempotencyError(error, 'IDEMPOTENCY_UNDECODABLE'))
    return bury('undecodable', 'The record of this message cannot be read.')
  if (isIdempotencyError(error, 'IDEMPOTENCY_INVALID_CALL')) return bury('invalid', error.message)
  return null
}
