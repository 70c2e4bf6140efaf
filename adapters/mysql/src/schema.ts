/** The table: its definition, its creation, and the check that server and table are what the statements expect. */
import {
  assertKnownOptions,
  IdempotencyInvalidOptionError,
  StoreMisconfiguredError,
  StoreUnavailableError,
} from '@retryproof/core/store'
import { connect, ownSession, type Row, type Session } from './driver.ts'
import { type MysqlPool, promisedPool, type WithPromise } from './pool.ts'
import { type Sql, sql } from './sql.ts'
import { STATES } from './statements.ts'

export interface SchemaOptions {
  /** The table, perhaps with its database: `idempotency.records`. @default 'retryproof' */
  readonly table?: string
}

export interface MigrateOptions extends SchemaOptions {
  /** A pool whose user may create tables. */
  readonly pool: MysqlPool | WithPromise<MysqlPool>
}

/** Raised with every change of the columns. It stands in the comment of the table; a later layout also renames a column. */
const LAYOUT = 1

const COLUMNS: Readonly<Record<string, string>> = {
  k: 'varbinary(255) NOT NULL PRIMARY KEY',
  token: 'bigint NOT NULL',
  owner: 'varbinary(255) NOT NULL',
  fingerprint: 'varbinary(255) NOT NULL',
  state: `enum(${STATES}) NOT NULL`,
  attempt: 'int NOT NULL',
  interrupted: 'tinyint NOT NULL',
  lease_until: 'bigint NOT NULL',
  expires_at: 'bigint NOT NULL',
  checkpoint_seq: 'bigint',
  request: 'longblob',
  checkpoint: 'longblob',
  result: 'longblob',
}

/** Serves a purge, and all that counts records by their state or looks for the few that are not completed. */
const INDEX = 'KEY expires (state, expires_at)'

/**
 * The statements that create the table, for migrations of your own; run again, they change nothing.
 *
 * @example
 * import { schema } from '@retryproof/mysql'
 *
 * const migration = schema({ table: 'idempotency' }).join(';\n')
 */
export function schema(options: SchemaOptions = {}): string[] {
  assertKnownOptions(options, { table: true })
  const { table } = options
  const columns = Object.entries(COLUMNS).map(([name, type]) => `  ${name} ${type},\n`)
  return [
    `CREATE TABLE IF NOT EXISTS ${quoted(parseTable(table)).text} (\n${columns.join('')}  ${INDEX}\n` +
      `) ENGINE = InnoDB DEFAULT CHARACTER SET ascii COMMENT = 'retryproof layout ${LAYOUT}'`,
  ]
}

/**
 * Creates the table where it is missing.
 *
 * @example
 * import { migrate } from '@retryproof/mysql'
 * import mysql from 'mysql2/promise'
 *
 * const pool = mysql.createPool('mysql://app@localhost/app')
 * await migrate({ pool })
 *
 * @throws StoreMisconfiguredError when a table of that name is another one, or the server cannot carry a store
 */
export async function migrate(options: MigrateOptions): Promise<void> {
  assertKnownOptions(options, { pool: true, table: true })
  const { pool, table } = options
  const connection = await connect(promisedPool(pool), MIGRATION_TIMEOUT_MS)
  try {
    const session = ownSession(connection, MIGRATION_TIMEOUT_MS)
    for (const text of schema({ ...(table && { table }) })) await session.write({ text })
    await verify(session, parseTable(table))
  } finally {
    connection.destroy()
  }
}

const MIGRATION_TIMEOUT_MS = 60_000
/** The bytes of a statement beside its one large value, which stands in it as hex. */
const ROOM_BYTES = 8 * 1024

/**
 * The table with its database: that of the pool, else of this session. The meaning of a plain name in a session may change with
 * `USE`, and a key that is begun in one table and repeated in another would run twice.
 *
 * @throws {@link StoreMisconfiguredError} when no database is chosen, or several have such a table and the pool names none
 */
export async function qualify({ read }: Session, table: Table, database: string | undefined): Promise<Table> {
  if (table.database !== undefined) return table
  if (database !== undefined) return { ...table, database }
  const [session = {}] = await read(sql`
SELECT DATABASE() AS current, (SELECT COUNT(*) FROM information_schema.tables WHERE table_name = ${text(table.name)}) AS tables`)
  const { current, tables } = session
  refuse(current === null, 'No database is chosen. Set the `database` of the pool, or name it in `table`.')
  refuse(
    Number(tables) > 1,
    `${tables} databases have a table '${table.name}', and the pool names none of them. Name its database in \`table\`.`,
  )
  return { ...table, database: String(current) }
}

/**
 * Resolves with what the server can do: `returns` stands for INSERT … RETURNING, which MySQL has not.
 *
 * @throws {@link StoreMisconfiguredError} when the table or the server is not what the statements expect
 * @throws {@link StoreUnavailableError} when the server only reads for now
 */
export async function verify({ read }: Session, table: Table, maxValueBytes = 0): Promise<{ returns: boolean }> {
  const [server = {}] = await read(sql`
SELECT SLEEP(0.001) AS slept, NOW(6) = SYSDATE(6) AS frozen, @@autocommit AS autocommit, @@read_only AS readonly,
  @@max_allowed_packet AS packet, VERSION() AS version`)
  const packet = 2 * maxValueBytes + ROOM_BYTES
  refuse(
    Number(server.frozen) === 1,
    'The server runs with --sysdate-is-now, and a statement that waited would judge by a time that is over. Start it without.',
  )
  if (['1', 'ON'].includes(String(server.readonly)))
    throw new StoreUnavailableError(
      'The server only reads for now (read_only). If that lasts: connect to the primary.',
      {
        applied: 'no',
      },
    )
  refuse(
    Number(server.packet) < packet,
    `The server takes packets of ${server.packet} bytes. Raise its max_allowed_packet to ${packet}, or lower maxValueBytes.`,
  )

  const name = shown(table)
  const ours = sql`table_schema = ${table.database === undefined ? sql`DATABASE()` : text(table.database)}
  AND table_name = ${text(table.name)} AND (@@lower_case_table_names <> 0 OR CAST(table_name AS BINARY) = ${table.name})`
  const [found] = await read(sql`
SELECT engine AS engine, table_comment AS comment FROM information_schema.tables WHERE ${ours}`)
  refuse(!found, `The table '${name}' is missing. Run migrate(), or the statements of schema().`)
  const layout = Number(/retryproof layout (\d+)/.exec(String(found?.comment))?.[1] ?? LAYOUT)
  refuse(
    layout > LAYOUT,
    `The table '${name}' belongs to a later version of @retryproof/mysql (layout ${layout}; this version knows ${LAYOUT}). Upgrade it.`,
  )
  // a session with SET NAMES binary gets text as bytes
  refuse(
    String(found?.engine) !== 'InnoDB',
    `The table '${name}' has the engine ${found?.engine}, and InnoDB is needed.`,
  )

  const columns = await read(sql`
SELECT column_name AS name, column_type AS type, is_nullable AS optional, column_key AS part, extra AS extra
FROM information_schema.columns WHERE ${ours}`)
  refuse(
    columns.some(({ extra }) => /auto_increment/i.test(String(extra))),
    `The table '${name}' has an AUTO_INCREMENT column, and its numbers would be taken for answers of the store. Remove it.`,
  )
  const actual = columns.map(definition)
  const missing = Object.entries(COLUMNS)
    .map((entry) => entry.join(' '))
    .filter((column) => !actual.includes(column))
  refuse(
    missing.length > 0,
    `The table '${name}' has another layout: it has (${actual.join(', ')}), and lacks (${missing.join(', ')}). Choose another table.`,
  )
  return { returns: String(server.version).includes('MariaDB') }
}

/** A column as COLUMNS has it; some servers tell the width at which a number is shown. */
function definition({ name, type, optional, part }: Row): string {
  const shown = String(type).replace(/int\(\d+\)/, 'int')
  return `${name} ${shown}${String(optional) === 'NO' ? ' NOT NULL' : ''}${String(part) === 'PRI' ? ' PRIMARY KEY' : ''}`
}

function refuse(problem: boolean, message: string): void {
  if (problem) throw new StoreMisconfiguredError(message)
}

/** A table, and its database where one is named. */
export interface Table {
  readonly database: string | undefined
  readonly name: string
}

/** @throws IdempotencyInvalidOptionError when `table` is not one plain name, or two with a dot between */
export function parseTable(table = 'retryproof'): Table {
  if (!/^([A-Za-z0-9_]{1,64}\.)?[A-Za-z0-9_]{1,64}$/.test(table))
    throw new IdempotencyInvalidOptionError(
      'table',
      `must be a name of at most 64 letters, digits and _, perhaps with its database, got ${JSON.stringify(table)}`,
    )
  const [name = '', database] = table.split('.').reverse()
  return { database, name }
}

/** The name as a statement takes it. */
export function quoted({ database, name }: Table): Sql {
  const parts = database === undefined ? [name] : [database, name]
  return { text: parts.map((part) => `\`${part.replaceAll('`', '``')}\``).join('.') }
}

const shown = ({ database, name }: Table): string => (database === undefined ? name : `${database}.${name}`)

/** A name as text: bytes would be compared by case. */
const text = (name: string): Sql => ({ text: `_utf8mb4 ${sql`${name}`.text}` })
