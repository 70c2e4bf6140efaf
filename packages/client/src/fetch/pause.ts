/** The round of the back-off while a server names the time of the next try. */
const STEADY_ROUND = 1

/** Returns a random pause, up to an exponential back-off: clients that failed together do not come back together. */
function backOffMs(tries: number, firstMs: number, maxMs: number): number {
  return Math.random() * Math.min(maxMs, firstMs * 2 ** (tries - 1))
}

/**
 * Returns the pause before the next try: the back-off, or the time that the server asks for, whichever is longer. While the
 * write is in progress elsewhere and the server says when to ask again, the back-off does not grow.
 */
export function nextPauseMs(
  { sent, waitMs, isInProgress }: { readonly sent: number; readonly waitMs: number; readonly isInProgress: boolean },
  { firstPauseMs, maxPauseMs }: { readonly firstPauseMs: number; readonly maxPauseMs: number },
): number {
  const round = isInProgress && waitMs > 0 ? STEADY_ROUND : sent
  return Math.max(backOffMs(round, firstPauseMs, maxPauseMs), waitMs)
}

/** Resolves after `ms`. Without a network it waits for one, at most until `deadlineMs`. */
export function pause(ms: number, deadlineMs: number, signal: AbortSignal | null | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const isOffline = globalThis.navigator?.onLine === false
    const timer = setTimeout(finish, Math.max(0, isOffline ? deadlineMs - performance.now() : ms))
    if (isOffline) globalThis.addEventListener?.('online', finish)
    signal?.addEventListener('abort', cancel)
    if (signal?.aborted) cancel()

    function finish(): void {
      clear()
      resolve()
    }
    function cancel(): void {
      clear()
      reject(signal?.reason)
    }
    function clear(): void {
      clearTimeout(timer)
      globalThis.removeEventListener?.('online', finish)
      signal?.removeEventListener('abort', cancel)
    }
  })
}
