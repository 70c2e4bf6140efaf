/** The table: its definition, its creation, and the check that it is the one that the statements expect. */
import {
  assertKnownOptions,
  type Duration,
  IdempotencyInvalidOptionError,
  StoreMisconfiguredError,
  toMs,
} from '@retryproof/core/store'
import { pragma, requireDriver, type SqliteDatabase, statement } from './driver.ts'
import { beginImmediate, exclusively, impatiently, whenFree } from './transaction.ts'

export interface SchemaOptions {
  /** The table's name: letters, digits and `_`. @default 'retryproof' */
  readonly table?: string
}

export interface MigrateOptions extends SchemaOptions {
  /** A database of better-sqlite3, of `node:sqlite` or of `bun:sqlite`, open for writing. */
  readonly database: SqliteDatabase
  /** Bounds the wait of `migrate` for other connections. @default '5s' */
  readonly lockTimeout?: Duration
}

/** Raised when the columns change. It stands in a comment of the table's definition, where later versions read it. */
const LAYOUT = 1

/** Times are whole µs since 1970. */
export const columns = {
  k: 'TEXT PRIMARY KEY NOT NULL',
  token: 'INTEGER NOT NULL',
  owner: 'TEXT NOT NULL',
  fingerprint: 'TEXT NOT NULL',
  state: 'TEXT NOT NULL',
  attempt: 'INTEGER NOT NULL',
  interrupted: 'INTEGER NOT NULL',
  lease_until: 'INTEGER NOT NULL',
  expires_at: 'INTEGER NOT NULL',
  checkpoint_seq: 'INTEGER',
  request: 'BLOB',
  checkpoint: 'BLOB',
  result: 'BLOB',
} as const

const definitions = Object.entries(columns).map(([name, type]) => `${name} ${type}`)

/**
 * The statements that create table and index, for migrations of your own. The database must be in WAL mode, too.
 *
 * @example
 * import { schema } from '@retryproof/sqlite'
 *
 * const migration = schema({ table: 'idempotency' }).join(';\n')
 */
export function schema(options: SchemaOptions = {}): [createTable: string, createIndex: string] {
  assertKnownOptions(options, { table: true })
  const { table = 'retryproof' } = options
  const name = quoted(table)
  return [
    `CREATE TABLE IF NOT EXISTS ${name} ( -- retryproof layout ${LAYOUT}\n  ${definitions.join(',\n  ')}\n) STRICT`,
    `CREATE INDEX IF NOT EXISTS "${table}_expires" ON ${name} (expires_at)`,
  ]
}

/**
 * Creates the table and its index where they are missing, and puts the file into WAL mode, which lasts.
 *
 * @example
 * import { migrate } from '@retryproof/sqlite'
 * import Database from 'better-sqlite3'
 *
 * const database = new Database('payments.db')
 * await migrate({ database })
 *
 * @throws StoreMisconfiguredError when the table has another layout, or that of a later version
 */
export async function migrate(options: MigrateOptions): Promise<void> {
  assertKnownOptions(options, { database: true, table: true, lockTimeout: true })
  const { database, table = 'retryproof', lockTimeout = '5s' } = options
  requireDriver(database)
  const [createTable, createIndex] = schema({ table })
  await whenFree(database, toMs('lockTimeout', lockTimeout), () => {
    const begin = () => beginImmediate(database)
    exclusively(database, begin, () => {
      statement(database, createTable).run()
      verifyTable(database, table)
      statement(database, createIndex).run()
    })
    impatiently(database, () => pragma(database, 'journal_mode = WAL'))
    verifyJournal(database)
  })
}

/** @throws StoreMisconfiguredError when the table is missing, or is not the one that the statements expect */
export function verifyTable(database: SqliteDatabase, table: string): void {
  const inspect = statement(
    database,
    `SELECT (SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = ?) AS sql, group_concat(
       name || ' ' || type || iif(pk, ' PRIMARY KEY', '') || iif("notnull", ' NOT NULL', ''), ', ') AS found
     FROM pragma_table_info(?)`,
  )
  const { sql, found } = inspect.get(table, table) as { sql: string | null; found: string | null }
  if (sql === null) {
    throw new StoreMisconfiguredError(`The table '${table}' is missing. Run migrate(), or the statements of schema().`)
  }
  const layout = Number(/-- retryproof layout (\d+)/.exec(sql)?.[1] ?? LAYOUT)
  if (layout > LAYOUT) {
    throw new StoreMisconfiguredError(
      `The table '${table}' has layout ${layout}, and this version of @retryproof/sqlite knows ${LAYOUT}: upgrade it.`,
    )
  }
  if (found === definitions.join(', ')) return
  throw new StoreMisconfiguredError(
    `The table '${table}' has another layout. Choose another table. Found: ${found}. Needed: ${definitions.join(', ')}.`,
  )
}

/** @throws StoreMisconfiguredError when the database is a file that is not in WAL mode: readers would wait for writers */
export function verifyJournal(database: SqliteDatabase): void {
  const mode = pragma(database, 'journal_mode')
  if (mode === 'wal' || !isFile(database)) return
  throw new StoreMisconfiguredError(
    `The journal mode is '${mode}': run migrate(), on a local file system, to have WAL.`,
  )
}

/** Tells whether the database lives in a file: only then others see it, and it survives. */
export function isFile(database: SqliteDatabase): boolean {
  const databases = statement(database, 'PRAGMA database_list').all() as { name: string; file: string | null }[]
  return databases.some(({ name, file }) => name === 'main' && Boolean(file))
}

/** @throws IdempotencyInvalidOptionError when `table` is no plain name */
export function quoted(table: string): string {
  if (/^[A-Za-z_][A-Za-z0-9_]{0,62}$/.test(table)) return `"${table}"`
  throw new IdempotencyInvalidOptionError(
    'table',
    `must be 1 to 63 letters, digits and _, got ${JSON.stringify(table)}`,
  )
}
