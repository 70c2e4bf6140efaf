/** Gives a random pause, up to an exponential back-off: clients that failed together do not come back together. */
export function backOffMs(tries: number, firstMs: number, maxMs: number): number {
  return Math.random() * Math.min(maxMs, firstMs * 2 ** (tries - 1))
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
