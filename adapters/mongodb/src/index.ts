export type { IndexSpecification, MongodbCollection, MongodbSession, UpdateOne } from './driver.ts'
export { type MongodbStore, type MongodbStoreOptions, mongodbStore } from './mongodb-store.ts'
export { migrate, schema } from './schema.ts'
