import { sharedIntent } from './shared-intent.ts'
import type { IntentStorage } from './storage.ts'
import { storageAdapter } from './storage-adapter.ts'
import { withLock } from './with-lock.ts'

/**
 * Keeps keys in `localStorage` (all tabs, over reloads and restarts) or `sessionStorage` (this tab, over reloads).
 * Takes a function, because a browser that blocks a storage throws when it is only named.
 *
 * @example
 * import { createIdempotentFetch, webStorage } from '@retryproof/client'
 *
 * const client = createIdempotentFetch({ storage: webStorage(() => sessionStorage) })
 */
export function webStorage(storage: () => Storage = () => localStorage): IntentStorage {
  const open = () => {
    const opened = storage()
    return {
      get: (name: string) => opened.getItem(name),
      set: (name: string, value: string) => opened.setItem(name, value),
      remove: (name: string) => opened.removeItem(name),
      names: () => rotated(Object.keys(opened)),
    }
  }
  // a tab's own needs no agreement, and must not be given that of others
  return storageAdapter(open, () => (storage() === globalThis.localStorage ? sharedIntent : withLock))
}

/** Begins anywhere, since a page that makes few keys would look at the same few names each time it is loaded. */
function rotated(names: readonly string[]): string[] {
  const at = Math.floor(Math.random() * names.length)
  return [...names.slice(at), ...names.slice(0, at)]
}
