/** Decides about a key whose lease expired, or that was tried too often: run, park, or ask a resolver. */

import type { InterruptedAttempt } from '../../api/attempt.ts'
import type { Outcome } from '../../api/call.ts'
import type { Resolution } from '../../api/policies.ts'
import type { MaybePromise } from '../../base/maybe-promise.ts'
import { IdempotencyInvalidOptionError, IdempotencyMaxAttemptsError } from '../../errors.ts'
import type { BeginReply } from '../../store/store.ts'
import type { PreparedCall } from '../context/prepared-call.ts'
import type { Settlement } from './settlement.ts'

/**
 * Returns null where the handler is to run; otherwise the attempt is over without it. Throws what a resolver decides or
 * throws.
 *
 * @throws {@link IdempotencyOutcomeUnknownError} when the key is parked
 * @throws {@link IdempotencyMaxAttemptsError} when there were more than `maxAttempts`
 */
export function decideTakeover<T>(
  { policies }: PreparedCall,
  { attempt: number, interrupted }: BeginReply,
  attempt: InterruptedAttempt,
  settlement: Settlement<T>,
): MaybePromise<Outcome<T> | null> {
  const { onTakeover, maxAttempts } = policies
  if (number > maxAttempts && interrupted) return settlement.park()
  if (number > maxAttempts) return settlement.fail(new IdempotencyMaxAttemptsError(maxAttempts), 'store')
  if (!interrupted || onTakeover === 'rerun') return null
  if (onTakeover === 'park') return settlement.park()
  return askResolver(onTakeover, attempt, settlement)
}

async function askResolver<T>(
  resolver: (attempt: InterruptedAttempt) => Resolution | Promise<Resolution>,
  attempt: InterruptedAttempt,
  settlement: Settlement<T>,
): Promise<Outcome<T> | null> {
  let resolution: Resolution
  try {
    resolution = readResolution(await resolver(attempt))
  } catch (error) {
    // the outcome is as unknown as before: the next attempt asks again
    return settlement.fail(error, 'retry')
  }
  return applyResolution(resolution, settlement)
}

function readResolution(resolution: Resolution): Resolution {
  if (resolution === 'rerun' || resolution === 'park') return resolution
  if ('completed' in Object(resolution) || 'failed' in Object(resolution)) return resolution
  throw new IdempotencyInvalidOptionError('onTakeover', "must give 'rerun', 'park', { completed } or { failed }")
}

async function applyResolution<T>(resolution: Resolution, settlement: Settlement<T>): Promise<Outcome<T> | null> {
  if (resolution === 'rerun') return null
  if (resolution === 'park') return settlement.park()
  if ('failed' in resolution) return settlement.fail(resolution.failed, 'store')
  return settlement.complete(resolution.completed as T)
}
