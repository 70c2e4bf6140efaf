/** What an error of the core says of a message. */
import {
  DrainingError,
  InProgressError,
  InvalidCallError,
  LeaseLostError,
  MismatchError,
  NotReplayableError,
  OutcomeUnknownError,
  StoreUnavailableError,
  TransactionConflictError,
  UndecodableError,
} from '@retryproof/core'
import { type Delays, growingDelay, MARGIN_MS } from './redelivery-delay.ts'
import type { DeadLetter, DeadLetterReason, Duplicate, Redeliver } from './verdict.ts'

type Judgement = Duplicate | Redeliver | { readonly action: 'bury'; readonly letter: DeadLetter }

/** Null: it is no error of the core that says anything of the message. */
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
  if (error instanceof NotReplayableError) return { action: 'ack', because: 'duplicate' }
  if (error instanceof InProgressError) {
    return redeliver('in progress', Math.min(delayMs, error.retryAfterMs + MARGIN_MS))
  }
  if (error instanceof LeaseLostError) return redeliver('in progress')
  if (error instanceof DrainingError) return redeliver('draining')
  if (error instanceof StoreUnavailableError || error instanceof TransactionConflictError) {
    return redeliver('unavailable')
  }
  if (error instanceof MismatchError) {
    return bury('mismatch', 'Another message with this id and another payload was here before.')
  }
  if (error instanceof OutcomeUnknownError) {
    return bury('outcome unknown', 'An attempt was interrupted, and somebody has to say what it did.')
  }
  if (error instanceof UndecodableError) return bury('undecodable', 'The record of this message cannot be read.')
  if (error instanceof InvalidCallError) return bury('invalid', error.message)
  return null
}
