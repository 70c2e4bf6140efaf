/** A store behind a circuit breaker, a bulkhead, or whatever else a resilience library has. */
import { StoreUnavailableError } from '../../errors.ts'
import type { RecordStore } from '../store.ts'
import { wrapStore } from './wrap-store.ts'

/**
 * `execute` runs a call of the store, or refuses: `guardStore(store, (call) => breaker.execute(call))` with cockatiel or
 * opossum. A refused call counts as not applied. Every call can be repeated, so that a policy may also retry.
 *
 * @example
 * import { guardStore } from '@retryproof/core'
 * import { memoryStore } from '@retryproof/memory'
 * import { bulkhead } from 'cockatiel'
 *
 * const limit = bulkhead(20, 100)
 * const store = guardStore(memoryStore(), (call) => limit.execute(call))
 */
export function guardStore<Store extends RecordStore>(
  store: Store,
  execute: <T>(call: () => Promise<T>) => Promise<T>,
): Store {
  async function guarded<T>(call: () => Promise<T>): Promise<T> {
    let sent = false
    try {
      return await execute(() => {
        sent = true
        return call()
      })
    } catch (cause) {
      if (sent) throw cause
      throw new StoreUnavailableError('The call was not sent: too many before it failed.', { applied: 'no', cause })
    }
  }
  return wrapStore<RecordStore>(store, {
    begin: (key, claim) => guarded(() => store.begin(key, claim)),
    transition: (key, token, change) => guarded(() => store.transition(key, token, change)),
    get: (key) => guarded(() => store.get(key)),
  }) as Store
}
