export { type MysqlStore, type MysqlStoreOptions, mysqlStore } from './mysql-store.ts'
export type { MysqlConnection, MysqlPool, MysqlPoolConnection, WithPromise } from './pool.ts'
export { type MigrateOptions, migrate, type SchemaOptions, schema } from './schema.ts'
