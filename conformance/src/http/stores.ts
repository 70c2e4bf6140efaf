/** Stores that fail where a binding has to bear it. */
import { type IdempotencyStore, StoreUnavailableError } from '@retryproof/core'

const fail = () => Promise.reject(new StoreUnavailableError('password=hunter2', { applied: 'unknown' }))

/** Answers nothing. */
export function unreachable(store: IdempotencyStore<unknown>): IdempotencyStore {
  return { capabilities: store.capabilities, begin: fail, transition: fail, get: fail }
}

/** Takes keys, and then goes: nothing that was begun can be recorded. */
export function unrecording({ capabilities, begin, get }: IdempotencyStore<unknown>): IdempotencyStore {
  return { capabilities, begin, get, transition: fail }
}
