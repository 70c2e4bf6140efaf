export type { IndexSpecification, MongoCollection, MongoSession } from './driver.ts'
export { type MongodbStore, type MongodbStoreOptions, mongodbStore } from './mongodb-store.ts'
export { migrate, schema } from './schema.ts'
