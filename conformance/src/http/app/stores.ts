/** Stores that fail where a binding has to bear it. */
import type { IdempotencyStore } from '@retryproof/core'
import { StoreUnavailableError, wrapStore } from '@retryproof/core/store'

const fail = () => Promise.reject(new StoreUnavailableError('password=hunter2', { applied: 'unknown' }))

/** Long enough for a duplicate to find that an answer left before it was recorded. */
const SLOW_MS = 100

/** Takes its time to record. */
export function slow(store: IdempotencyStore<unknown>): IdempotencyStore<unknown> {
  return wrapStore(store, {
    async transition(key, token, change) {
      await new Promise((resolve) => setTimeout(resolve, SLOW_MS))
      return store.transition(key, token, change)
    },
  })
}

/** Answers nothing. */
export function unreachable(store: IdempotencyStore<unknown>): IdempotencyStore<unknown> {
  return wrapStore(store, { begin: fail, transition: fail, get: fail })
}

/** Takes keys, and then goes: nothing that was begun can be recorded. */
export function unrecording(store: IdempotencyStore<unknown>): IdempotencyStore<unknown> {
  return wrapStore(store, { transition: fail })
}
