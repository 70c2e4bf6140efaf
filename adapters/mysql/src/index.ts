export type { MysqlConnection, MysqlPool, MysqlPoolConnection, WithPromise } from './driver.ts'
export { type MysqlStore, type MysqlStoreOptions, mysqlStore } from './mysql-store.ts'
export { type MigrateOptions, migrate, type SchemaOptions, schema } from './schema.ts'
