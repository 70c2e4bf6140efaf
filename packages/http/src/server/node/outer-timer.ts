/** Answers that a timer gives which was set before the handler began: a time-out around the guard. */
import { AsyncResource, executionAsyncId, executionAsyncResource } from 'node:async_hooks'
import type { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'

/** The members of Node's timers that are read here. */
interface Timer {
  /** Null for a timer that runs once. */
  readonly _repeat: number | null
  readonly _onTimeout: { readonly name: string } | null
}

/**
 * Gives a function that returns true while such a timer runs. Node numbers its timers as they are set, and tells which one runs;
 * of a promise that a timer settled it tells nothing.
 */
export function watchOuterTimers(req: IncomingMessage): () => boolean {
  const begun = new AsyncResource('retryproof').asyncId()
  return () => {
    if (executionAsyncId() >= begun) return false
    const resource = executionAsyncResource()
    return isTimer(resource) && resource._repeat === null && !isOfOtherSocket(resource, req)
  }
}

let prototype: unknown

function isTimer(resource: object): resource is Timer {
  if (!prototype) {
    const timer = setTimeout(() => {}, 0)
    clearTimeout(timer)
    prototype = Object.getPrototypeOf(timer)
  }
  return Object.getPrototypeOf(resource) === prototype
}

/** Undefined on other runtimes, and where Node has renamed it. */
const { _onTimeout } = Socket.prototype as unknown as Partial<Timer>

/** A connection to a provider keeps its timer from request to request, and a handler may answer by it. */
function isOfOtherSocket(timer: Timer, { socket }: IncomingMessage): boolean {
  const isOfSocket = timer._onTimeout?.name === `bound ${_onTimeout?.name}`
  return isOfSocket && !Object.getOwnPropertySymbols(socket).some((name) => Reflect.get(socket, name) === timer)
}
