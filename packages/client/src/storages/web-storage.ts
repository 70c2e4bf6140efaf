import { lifted } from '../plain-storage.ts'
import type { IntentStorage } from '../storage.ts'

/**
 * Keeps keys in `localStorage` (all tabs, over reloads and restarts) or `sessionStorage` (this tab, over reloads).
 * Takes a function, because a browser that blocks a storage throws when it is only named.
 */
export function webStorage(storage: () => Storage = () => localStorage): IntentStorage {
  return lifted(() => {
    const opened = storage()
    return {
      get: (name) => opened.getItem(name),
      set: (name, value) => opened.setItem(name, value),
      remove: (name) => opened.removeItem(name),
    }
  })
}
