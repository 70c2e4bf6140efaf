export type { RedisClient, Subscriber } from './driver.ts'
export { type Durability, type RedisStore, type RedisStoreOptions, redisStore } from './redis-store.ts'
export { script } from './statements.ts'
