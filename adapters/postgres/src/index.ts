export type {
  PostgresDatabase,
  PostgresEmbedded,
  PostgresPool,
  PostgresPoolClient,
  PostgresQueryable,
} from './driver.ts'
export {
  type PostgresRecordStore,
  type PostgresStore,
  type PostgresStoreOptions,
  postgresStore,
} from './postgres-store.ts'
export { type MigrateOptions, migrate, type SchemaOptions, schema } from './schema.ts'
