import type { IntentStorage } from './storage.ts'

/**
 * Keeps keys for as long as the page or process lives: retries are safe, a reload is not.
 *
 * @example
 * import { createIdempotentFetch, memoryStorage } from '@retryproof/client'
 *
 * const client = createIdempotentFetch({ storage: memoryStorage() })
 */
export function memoryStorage(): IntentStorage {
  const entries = new Map<string, string>()
  return {
    async update(name, change) {
      const next = change(entries.get(name) ?? null)
      if (next === null) entries.delete(name)
      else entries.set(name, next)
      return next
    },
    names: () => entries.keys(),
  }
}
