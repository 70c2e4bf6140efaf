import { IdempotencyInvalidOptionError } from '@retryproof/core'

/**
 * Refuses dead letters that lead back to their own consumer, where it can be known. Those of which it cannot be known are
 * slowed down by `write-letter`.
 *
 * @throws {@link IdempotencyInvalidOptionError} when they would go round
 */
export function refuseCircle(leadsBack: boolean, place: 'queue' | 'subject' | 'topic'): void {
  if (!leadsBack) return
  throw new IdempotencyInvalidOptionError(
    'deadLetters',
    `must be a ${place} that the consumer does not read: they would go round`,
  )
}
