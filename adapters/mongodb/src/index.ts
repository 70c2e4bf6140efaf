export { type MongodbStore, type MongodbStoreOptions, type MongoSession, mongodbStore } from './mongodb-store.ts'
export { type IndexSpecification, type MongoCollection, migrate, schema } from './schema.ts'
