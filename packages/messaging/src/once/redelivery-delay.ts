/** Delays before a message comes back. */
import { type Duration, IdempotencyInvalidOptionError } from '@retryproof/core'
import { backOff, toMs } from '@retryproof/core/internal'

/** The delay doubles each time, from `first` to `max`. */
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

/** Time that is added to a delay that the store keeps too, so that the message does not come back a moment early. */
export const MARGIN_MS = 50

export function readDelays({ first = '1s', max = '1m' }: RedeliveryDelay = {}): Delays {
  const firstMs = toMs('redeliveryDelay.first', first, { min: 1 })
  return { firstMs, maxMs: toMs('redeliveryDelay.max', max, { min: firstMs }) }
}

/** Returns the delay after the nth try, n from 1. A count that is none (brokers pass on what publishers write) is taken for 1. */
export function growingDelay(delays: Delays, n: number): number {
  return Math.ceil(backOff(Number.isSafeInteger(n) && n > 1 ? n - 1 : 0, delays))
}

/**
 * Counts the deliveries that a broker must be willing to make: one for each attempt, and those that find the message in
 * progress until the lease of a crashed attempt has expired.
 */
export function deliveriesNeeded({ firstMs, maxMs }: Delays, maxAttempts: number, leaseMs: number): number {
  let bounces = 1
  // jitter halves a delay at most
  for (let ms = firstMs, waited = 0; waited < leaseMs; ms = Math.min(maxMs, ms * 2), bounces++) waited += ms / 2
  return maxAttempts + bounces
}

/** @throws {@link IdempotencyInvalidOptionError} when the broker gives a message up before its attempts are over */
export function requireDeliveries(option: string, limit: number, needed: number): void {
  if (limit >= needed) return
  throw new IdempotencyInvalidOptionError(
    option,
    `delivers a message ${limit} times at most, and ${needed} are needed for \`maxAttempts\` and for those that find it in progress: raise the limit, or lower \`maxAttempts\``,
  )
}
