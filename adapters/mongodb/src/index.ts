export type { IndexSpecification, MongodbCollection, MongodbSession } from './driver.ts'
export { type MongodbStore, type MongodbStoreOptions, mongodbStore } from './mongodb-store.ts'
export { migrate, schema } from './schema.ts'
