/** Values that every store shares. */

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
