/** Stores that fail where a binding has to bear it. */
import { type IdempotencyStore, StoreUnavailableError } from '@retryproof/core'

const fail = () => Promise.reject(new StoreUnavailableError('password=hunter2', { applied: 'unknown' }))

/** Long enough for a duplicate to find that an answer left before it was recorded. */
const SLOW_MS = 100

/** Takes its time to record. */
export function slow(store: IdempotencyStore<unknown>): IdempotencyStore {
  const { capabilities, begin, get } = store
  return {
    capabilities,
    begin,
    get,
    async transition(key, token, change) {
      await new Promise((resolve) => setTimeout(resolve, SLOW_MS))
      return store.transition(key, token, change)
    },
  }
}

/** Answers nothing. */
export function unreachable(store: IdempotencyStore<unknown>): IdempotencyStore {
  return { capabilities: store.capabilities, begin: fail, transition: fail, get: fail }
}

/** Takes keys, and then goes: nothing that was begun can be recorded. */
export function unrecording({ capabilities, begin, get }: IdempotencyStore<unknown>): IdempotencyStore {
  return { capabilities, begin, get, transition: fail }
}
