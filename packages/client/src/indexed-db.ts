/** Keys in IndexedDB: all tabs and workers of an origin, also where there are no Web Locks. */
import { createStore, update } from 'idb-keyval'
import { StorageError } from './errors.ts'
import type { IntentStorage } from './storage.ts'

/** Each change is one transaction of the database. */
export function indexedDbStorage(database = 'retryproof'): IntentStorage {
  let store: ReturnType<typeof createStore> | undefined
  return {
    async update(name, change) {
      let next: string | null = null
      try {
        store ??= createStore(database, 'intents')
        await update<string | null>(
          name,
          (current) => {
            next = change(current ?? null)
            return next
          },
          store,
        )
        return next
      } catch (cause) {
        throw new StorageError('IndexedDB cannot be used: it is full, blocked or absent.', { cause })
      }
    },
  }
}
