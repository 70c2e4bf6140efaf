/** Keys in IndexedDB: all tabs and workers of an origin, also where there are no Web Locks. */
import { createStore } from 'idb-keyval'
import { IntentStorageError, isIntentError } from './base/errors.ts'
import type { IntentStorage } from './storages/storage.ts'
import { inTransaction } from './storages/with-lock.ts'

/**
 * Keeps keys in IndexedDB: shared by all tabs and workers. Each change is one transaction of the database.
 *
 * @example
 * import { createIdempotentFetch } from '@retryproof/client'
 * import { indexedDbStorage } from '@retryproof/client/indexed-db'
 *
 * const client = createIdempotentFetch({ storage: indexedDbStorage() })
 */
export function indexedDbStorage(database = 'retryproof'): IntentStorage {
  const store = createStore(database, 'intents')
  return {
    async update(name, change) {
      try {
        return await inTransaction<string | null>(store, name, (current) => change(current ?? null))
      } catch (cause) {
        if (isIntentError(cause)) throw cause
        throw new IntentStorageError('IndexedDB cannot be used: it is full, blocked or absent.', { cause })
      }
    },
  }
}
