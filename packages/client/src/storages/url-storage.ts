import type { IntentStorage } from './storage.ts'
import { storageAdapter } from './storage-adapter.ts'

/**
 * Keeps keys in the address of the page: over reloads, and in a copy of the address. It needs no storage.
 *
 * @example
 * import { createIdempotentFetch, urlStorage } from '@retryproof/client'
 *
 * const client = createIdempotentFetch({ storage: urlStorage() })
 */
export function urlStorage(): IntentStorage {
  const change = (edit: (parameters: URLSearchParams) => void) => {
    const url = new URL(location.href)
    edit(url.searchParams)
    history.replaceState(history.state, '', url)
  }
  return storageAdapter(() => ({
    get: (name) => new URL(location.href).searchParams.get(name),
    set: (name, value) => change((parameters) => parameters.set(name, value)),
    remove: (name) => change((parameters) => parameters.delete(name)),
  }))
}
