export type { RedisClient, Subscriber } from './client.ts'
export { type Durability, type RedisStore, type RedisStoreOptions, redisStore } from './redis-store.ts'
export { script } from './scripts.ts'
