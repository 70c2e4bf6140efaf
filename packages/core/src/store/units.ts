/** Values that every store shares. */

/** The grace of a purge: the most by which the clock of a store may go back without a token being given out twice. */
export const PURGE_GRACE_MS = 60_000

/**
 * Converts milliseconds to the whole microseconds in which stores keep times.
 *
 * @example
 * import { toUs } from '@retryproof/core/store'
 *
 * toUs(1.5) // 1500
 */
export function toUs(ms: number): number {
  return Math.round(ms * 1000)
}
