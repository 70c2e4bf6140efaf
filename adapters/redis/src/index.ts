export type { RedisClient, RedisNode, Subscriber as RedisSubscriber } from './driver.ts'
export { type Durability, type RedisStore, type RedisStoreOptions, redisStore } from './redis-store.ts'
