export {
  type LruCacheOptions,
  lruCache,
  type MemcachedClient,
  memcachedCache,
  type RedisCacheClient,
  redisCache,
} from './caches.ts'
export { type SettledCache, type TieredStoreOptions, tieredStore } from './tiered-store.ts'
