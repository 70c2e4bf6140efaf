export type { SqliteDatabase, SqliteStatement } from './driver.ts'
export { type MigrateOptions, migrate, type SchemaOptions, schema } from './schema.ts'
export { type SqliteStore, type SqliteStoreOptions, sqliteStore } from './sqlite-store.ts'
