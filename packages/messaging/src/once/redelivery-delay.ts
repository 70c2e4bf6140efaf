/** How long a message is left alone. */
import { type Duration, IdempotencyInvalidOptionError } from '@retryproof/core'
import { backOff, toMs } from '@retryproof/core/internal'

/** The first delay and the longest; each is twice the one before. */
export interface RedeliveryDelay {
  /** @default '1s' */
  readonly first?: Duration
  /** @default '1m' */
  readonly max?: Duration
}

export interface Delays {
  readonly firstMs: number
  readonly maxMs: number
}

/** A message comes back this much after what it has to wait for, so that it does not find the time a moment short. */
export const MARGIN_MS = 50

export function readDelays({ first = '1s', max = '1m' }: RedeliveryDelay = {}): Delays {
  const firstMs = toMs('redeliveryDelay.first', first, { min: 1 })
  return { firstMs, maxMs: toMs('redeliveryDelay.max', max, { min: firstMs }) }
}

/** The delay after the nth try, n from 1: with jitter over its upper half, so that what failed together does not return together. */
export function growingDelay(delays: Delays, n: number): number {
  return Math.ceil(backOff(Math.max(0, n - 1), delays))
}

/**
 * How often a broker has to be willing to deliver a message: for each attempt, and for as long as the lease of one that
 * crashed goes on, during which deliveries find the message in progress.
 */
export function deliveriesNeeded({ firstMs, maxMs }: Delays, maxAttempts: number, leaseMs: number): number {
  let bounces = 1
  // the shortest that jitter makes of each delay
  for (let ms = firstMs, waited = 0; waited < leaseMs; ms = Math.min(maxMs, ms * 2), bounces++) waited += ms / 2
  return maxAttempts + bounces
}

/** @throws IdempotencyInvalidOptionError where the broker gives a message up before its attempts are over */
export function requireDeliveries(option: string, limit: number, needed: number): void {
  if (limit >= needed) return
  throw new IdempotencyInvalidOptionError(
    option,
    `delivers a message ${limit} times at most, and ${needed} are needed for \`maxAttempts\` and for those that find it in progress: raise the limit, or lower \`maxAttempts\``,
  )
}
