import { IdempotencyInvalidOptionError } from '@retryproof/core'

/**
 * Refuses dead letters that lead back to their own consumer. Each broker's entry says whether they do; `write-letter` slows
 * down those of which nobody can know it.
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
