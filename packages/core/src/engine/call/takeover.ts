/** What becomes of a key whose holder fell silent, or that was tried too often: run, park, or ask. */

import type { InterruptedAttempt } from '../../api/attempt.ts'
import type { Outcome } from '../../api/call.ts'
import type { Resolution } from '../../api/policies.ts'
import { IdempotencyInvalidOptionError, IdempotencyMaxAttemptsError } from '../../errors.ts'
import type { BeginReply } from '../../store/store.ts'
import type { PreparedCall } from '../context/prepared-call.ts'
import type { Settlement } from './settlement.ts'

/**
 * Null: the handler is to run. Otherwise the attempt is over without it.
 *
 * @throws IdempotencyOutcomeUnknownError where the key is parked, IdempotencyMaxAttemptsError after `maxAttempts`, and what a resolver decides
 * or throws
 */
export async function decideTakeover<T>(
  { policies }: PreparedCall,
  { attempt: number, interrupted }: BeginReply,
  attempt: InterruptedAttempt,
  finish: Settlement<T>,
): Promise<Outcome<T> | null> {
  const { onTakeover, maxAttempts } = policies
  if (number > maxAttempts && interrupted) return finish.park()
  if (number > maxAttempts) return finish.fail(new IdempotencyMaxAttemptsError(maxAttempts), 'store')
  if (!interrupted || onTakeover === 'rerun') return null
  if (onTakeover === 'park') return finish.park()
  let resolution: Resolution
  try {
    resolution = readResolution(await onTakeover(attempt))
  } catch (error) {
    // the question failed, and nobody is any wiser: the next attempt asks again
    return finish.fail(error, 'retry')
  }
  return applyResolution(resolution, finish)
}

function readResolution(resolution: Resolution): Resolution {
  if (resolution === 'rerun' || resolution === 'park') return resolution
  if ('completed' in Object(resolution) || 'failed' in Object(resolution)) return resolution
  throw new IdempotencyInvalidOptionError('onTakeover', "must give 'rerun', 'park', { completed } or { failed }")
}

async function applyResolution<T>(resolution: Resolution, finish: Settlement<T>): Promise<Outcome<T> | null> {
  if (resolution === 'rerun') return null
  if (resolution === 'park') return finish.park()
  if ('failed' in resolution) return finish.fail(resolution.failed, 'store')
  return finish.complete(resolution.completed as T)
}
