/** Keys in a storage of texts that answers later, such as React Native's. */
import { IntentStorageError, isIntentError } from './base/errors.ts'
import type { IntentStorage } from './storages/storage.ts'

/** The methods that `asyncStorage` uses of `@react-native-async-storage/async-storage`, or of any storage with these three methods. */
export interface AsyncTextStorage {
  getItem(name: string): Promise<string | null>
  setItem(name: string, value: string): Promise<unknown>
  removeItem(name: string): Promise<unknown>
}

/** The last change of each storage: the next one begins after it, in whichever client it is made. */
const turns = new WeakMap<AsyncTextStorage, Promise<unknown>>()

/**
 * Keeps keys over restarts of an app. One process must use the storage at a time, as an app on a phone does.
 *
 * @throws {@link TypeError} when the storage lacks one of the three methods
 *
 * @example
 * import { createIdempotentFetch } from '@retryproof/client'
 * import { type AsyncTextStorage, asyncStorage } from '@retryproof/client/async-storage'
 *
 * // import AsyncStorage from '@react-native-async-storage/async-storage'
 * const clientOf = (AsyncStorage: AsyncTextStorage) => createIdempotentFetch({ storage: asyncStorage(AsyncStorage) })
 */
export function asyncStorage(storage: AsyncTextStorage): IntentStorage {
  if (!(['getItem', 'setItem', 'removeItem'] as const).every((method) => typeof storage?.[method] === 'function')) {
    throw new TypeError('asyncStorage: needs a storage with getItem, setItem and removeItem, such as AsyncStorage')
  }
  return {
    update(name, change) {
      const turn = (turns.get(storage) ?? Promise.resolve()).then(() => updateNow(storage, name, change))
      turns.set(
        storage,
        turn.catch(() => {}),
      )
      return turn
    },
  }
}

async function updateNow(storage: AsyncTextStorage, name: string, change: (current: string | null) => string | null) {
  try {
    const current = await storage.getItem(name)
    const next = change(current)
    if (next === null) await storage.removeItem(name)
    else if (next !== current) await storage.setItem(name, next)
    return next
  } catch (cause) {
    if (isIntentError(cause)) throw cause
    throw new IntentStorageError('The storage of this app cannot be used: it is full or broken.', { cause })
  }
}
