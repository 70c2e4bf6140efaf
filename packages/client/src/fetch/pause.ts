/** Random up to the whole of an exponential back-off, so that clients that failed together do not come back together. */
export function backOffMs(tries: number, firstMs: number, maxMs: number): number {
  return Math.random() * Math.min(maxMs, firstMs * 2 ** (tries - 1))
}

/** What `Retry-After` asks for, in milliseconds: seconds or a date (RFC 9110, 10.2.3). 0 where it says nothing. */
export function retryAfterMs(headers: Headers | undefined): number {
  const value = headers?.get('Retry-After')
  if (!value) return 0
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now()
  return Math.max(ms, 0) || 0
}

/** Resolves after `ms`; before that, when a network comes back. Without one it waits for it, at most until `deadlineMs`. */
export function pause(ms: number, deadlineMs: number, signal: AbortSignal | null | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const isOffline = globalThis.navigator?.onLine === false
    const timer = setTimeout(finish, Math.max(0, isOffline ? deadlineMs - performance.now() : ms))
    globalThis.addEventListener?.('online', finish)
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
