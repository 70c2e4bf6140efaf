/** Caches as they are usually had: the memory of this process, Redis, Memcached. */
import { LRUCache } from 'lru-cache'
import type { SettledCache } from './tiered-store.ts'

export interface LruCacheOptions {
  /** How much is kept, in bytes. @default 32 MiB */
  readonly maxBytes?: number
}

/** In the memory of this process: a replay costs no call of any store. */
export function lruCache({ maxBytes = 32 * 2 ** 20 }: LruCacheOptions = {}): SettledCache {
  const entries = new LRUCache<string, Uint8Array>({
    maxSize: maxBytes,
    sizeCalculation: (value, key) => value.length + key.length,
  })
  return {
    get: (key) => entries.get(key)?.slice(),
    set: (key, value, ttlMs) => {
      entries.set(key, value.slice(), { ttl: ttlMs })
    },
    delete: (key) => {
      entries.delete(key)
    },
  }
}

/** What is used of a client of ioredis. */
export interface RedisCacheClient {
  getBuffer(key: string): Promise<Uint8Array | null>
  set(key: string, value: Buffer, px: 'PX', ttlMs: number): Promise<unknown>
  del(key: string): Promise<unknown>
}

/** @param prefix stands before each key. @default 'retryproof:settled:' */
export function redisCache(client: RedisCacheClient, prefix = 'retryproof:settled:'): SettledCache {
  return {
    get: (key) => client.getBuffer(prefix + key),
    set: (key, value, ttlMs) => client.set(prefix + key, Buffer.from(value), 'PX', ttlMs),
    delete: (key) => client.del(prefix + key),
  }
}

/** What is used of a client of memjs. */
export interface MemcachedClient {
  get(key: string): Promise<{ readonly value: Uint8Array | null }>
  set(key: string, value: Buffer, options: { readonly expires: number }): Promise<unknown>
  delete(key: string): Promise<unknown>
}

/** @param prefix stands before each key. @default 'retryproof:settled:' */
export function memcachedCache(client: MemcachedClient, prefix = 'retryproof:settled:'): SettledCache {
  return {
    get: async (key) => (await client.get(prefix + key)).value,
    // Memcached counts whole seconds; the entry itself knows better
    set: (key, value, ttlMs) => client.set(prefix + key, Buffer.from(value), { expires: Math.ceil(ttlMs / 1000) }),
    delete: (key) => client.delete(prefix + key),
  }
}
