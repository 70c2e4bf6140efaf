/** Bounds the time that a message is hidden: SQS allows twelve hours from when it was received. */
export const MAX_HIDDEN_MS = 12 * 3_600_000 - 5 * 60_000

/** Returns the seconds for which a message is hidden, with what is left of that time. */
export function hiddenS(delayMs: number, receivedAt: number, now = performance.now()): number {
  const leftMs = Math.max(0, MAX_HIDDEN_MS - (now - receivedAt))
  return Math.ceil(Math.min(delayMs, leftMs) / 1000)
}
