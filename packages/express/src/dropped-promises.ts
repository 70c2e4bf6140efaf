/** Promises that Express 4 drops. To wait for one would count as handling it, so that Node would tell nobody that it rejects. */
import process from 'node:process'

const ON_REJECTED = Symbol('retryproof.rejected')

interface Dropped extends Promise<unknown> {
  [ON_REJECTED]?: (error: unknown) => void
}

const EVENT = 'unhandledRejection'

/**
 * Calls back if the promise rejects and nobody handles that, where the application listens for such rejections. Else they end
 * the process.
 */
export function watchDropped(dropped: Promise<unknown>, onRejected: (error: unknown) => void): void {
  ;(dropped as Dropped)[ON_REJECTED] = onRejected
  // as the only listener it would keep Node from ending the process
  if (process.listenerCount(EVENT) === 0 || process.listenerCount(EVENT, onUnhandled) > 0) return
  process.on(EVENT, onUnhandled)
}

function onUnhandled(error: unknown, promise: Dropped): void {
  promise[ON_REJECTED]?.(error)
  if (process.listenerCount(EVENT) > 1) return
  process.off(EVENT, onUnhandled)
  throw error
}
