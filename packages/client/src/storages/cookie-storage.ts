import { assertKnownOptions } from '../base/known-options.ts'
import type { IntentStorage } from './storage.ts'
import { storageAdapter } from './storage-adapter.ts'

const DAY_S = 86_400

/**
 * Keeps keys in cookies: shared by all tabs, and by subdomains if `domain` says so. They are sent with each request.
 *
 * @throws {@link TypeError} when there is no option of that name
 *
 * @example
 * import { cookieStorage, createIdempotentFetch } from '@retryproof/client'
 *
 * const client = createIdempotentFetch({ storage: cookieStorage({ domain: 'shop.example' }) })
 */
export function cookieStorage(options: { readonly domain?: string; readonly path?: string } = {}): IntentStorage {
  assertKnownOptions<{ domain?: string; path?: string }>('', options, { domain: true, path: true })
  const { domain, path = '/' } = options
  const where = `; Path=${path}; SameSite=Lax${domain ? `; Domain=${domain}` : ''}`
  const write = (name: string, value: string, seconds: number) => {
    const secure = location.protocol === 'https:' ? '; Secure' : ''
    // biome-ignore lint/suspicious/noDocumentCookie: the Cookie Store API has no synchronous form, and not every browser has it
    document.cookie = `${encodeURIComponent(name)}=${encodeURIComponent(value)}; Max-Age=${seconds}${where}${secure}`
  }
  return storageAdapter(() => ({
    get(name) {
      const start = `${encodeURIComponent(name)}=`
      const found = document.cookie.split('; ').find((cookie) => cookie.startsWith(start))
      return found === undefined ? null : decodeURIComponent(found.slice(start.length))
    },
    set: (name, value) => write(name, value, 30 * DAY_S),
    remove: (name) => write(name, '', 0),
  }))
}
