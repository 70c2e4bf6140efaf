/** Caches in the memory of this process, in Redis and in Memcached. */
import { assertKnownOptions } from '@retryproof/core/store'
import { LRUCache } from 'lru-cache'
import type { SettledCache } from './tiered-store.ts'

export interface LruCacheOptions {
  /** Bounds keys and entries together, in bytes. @default 32 MiB */
  readonly maxBytes?: number
}

/**
 * Keeps entries in the memory of this process, the least recently used leaving first. A replay costs no call of a store.
 * Gives the same array each time, so that the store checks it once.
 *
 * @example
 * import { lruCache } from '@retryproof/tiered'
 *
 * const cache = lruCache({ maxBytes: 64 * 2 ** 20 })
 */
export function lruCache(options: LruCacheOptions = {}): SettledCache {
  assertKnownOptions(options, { maxBytes: true })
  const { maxBytes = 32 * 2 ** 20 } = options
  const entries = new LRUCache<string, Uint8Array>({
    maxSize: maxBytes,
    // the store keeps what it read of an entry as long as the entry
    sizeCalculation: (value, key) => 2 * value.length + key.length,
  })
  return {
    get: (key) => entries.get(key),
    set: (key, value, ttlMs) => {
      entries.set(key, value.slice(), { ttl: ttlMs })
    },
    delete: (key) => {
      entries.delete(key)
    },
  }
}

/** The methods of a client of ioredis that the cache calls. */
export interface RedisCacheClient {
  getBuffer(key: string): Promise<Uint8Array | null>
  set(key: string, value: Buffer, px: 'PX', ttlMs: number): Promise<unknown>
  del(key: string): Promise<unknown>
}

/**
 * Keeps entries in Redis. Processes that share it give `tieredStore` the same `durableId`.
 *
 * @param prefix stands before each key. @default 'retryproof:settled:'
 *
 * @example
 * import { redisCache } from '@retryproof/tiered'
 * import { Redis } from 'ioredis'
 *
 * const cache = redisCache(new Redis())
 */
export function redisCache(client: RedisCacheClient, prefix = 'retryproof:settled:'): SettledCache {
  return {
    isShared: true,
    get: (key) => client.getBuffer(prefix + key),
    set: (key, value, ttlMs) => client.set(prefix + key, Buffer.from(value), 'PX', ttlMs),
    delete: (key) => client.del(prefix + key),
  }
}

/** The methods of a client of memjs that the cache calls. */
export interface MemcachedClient {
  get(key: string): Promise<{ readonly value: Uint8Array | null }>
  set(key: string, value: Buffer, options: { readonly expires: number }): Promise<unknown>
  delete(key: string): Promise<unknown>
}

/**
 * Keeps entries in Memcached. Processes that share it give `tieredStore` the same `durableId`.
 *
 * @param prefix stands before each key. @default 'retryproof:settled:'
 *
 * @example
 * import { memcachedCache } from '@retryproof/tiered'
 * import memjs from 'memjs'
 *
 * const cache = memcachedCache(memjs.Client.create('127.0.0.1:11211'))
 */
export function memcachedCache(client: MemcachedClient, prefix = 'retryproof:settled:'): SettledCache {
  return {
    isShared: true,
    get: async (key) => (await client.get(prefix + key)).value,
    // Memcached counts whole seconds; the entry carries its exact deadline
    set: (key, value, ttlMs) => client.set(prefix + key, Buffer.from(value), { expires: Math.ceil(ttlMs / 1000) }),
    delete: (key) => client.delete(prefix + key),
  }
}
