/** The driver as this store uses it: better-sqlite3, node:sqlite and bun:sqlite all fit. Its errors become the port's. */
import { describeKind } from '@retryproof/core/internal'
import { IdempotencyInvalidOptionError } from '@retryproof/core/store'
import { guard } from './errors.ts'

export interface SqliteStatement {
  get(...values: unknown[]): unknown
  all(...values: unknown[]): unknown[]
  run(...values: unknown[]): { changes: number | bigint }
  /** node:sqlite, where a connection may have been opened with rows as arrays. */
  setReturnArrays?(enabled: boolean): void
  /** better-sqlite3, which alone has `pluck`: `raw` of bun:sqlite runs the statement. */
  raw?(enabled: boolean): unknown
  readonly pluck?: unknown
}

/** An open connection. It has one of the two members that say whether a transaction is open. */
export interface SqliteDatabase {
  prepare(sql: string): SqliteStatement
  exec(sql: string): unknown
  /** better-sqlite3, bun:sqlite */
  readonly inTransaction?: boolean
  /** node:sqlite */
  readonly isTransaction?: boolean
}

/** A prepared statement that throws the port's errors. `asArrays`: rows have no names, where the driver has such rows. */
export function statement(
  database: SqliteDatabase,
  sql: string,
  { asArrays = false } = {},
): Pick<SqliteStatement, 'get' | 'all' | 'run'> {
  const prepared = guard(() => database.prepare(sql))
  prepared.setReturnArrays?.(asArrays)
  if (asArrays && prepared.pluck) prepared.raw?.(true)
  return {
    get: (...values) => guard(() => prepared.get(...values)),
    all: (...values) => guard(() => prepared.all(...values)),
    run: (...values) => guard(() => prepared.run(...values)),
  }
}

/** Reads a pragma, or sets one that answers with its new value. */
export function pragma(database: SqliteDatabase, text: string): unknown {
  return Object.values(Object(statement(database, `PRAGMA ${text}`).get()))[0]
}

export function isInTransaction(database: SqliteDatabase): boolean {
  return guard(() => database.inTransaction ?? database.isTransaction ?? false)
}

/** @throws IdempotencyInvalidOptionError where `database` is no connection of a driver that this store knows */
export function requireDriver(database: SqliteDatabase): void {
  const isConnection = typeof database?.prepare === 'function' && typeof database.exec === 'function'
  if (isConnection && ('inTransaction' in database || 'isTransaction' in database)) return
  throw new IdempotencyInvalidOptionError(
    'database',
    `must be an open connection of better-sqlite3, bun:sqlite, or node:sqlite of Node 22.16 or later, got ${describeKind(database)}`,
  )
}
