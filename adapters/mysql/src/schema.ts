/** The table: its definition, its creation, and the check that server and table are what the statements expect. */
import { IdempotencyInvalidOptionError, StoreMisconfiguredError } from '@retryproof/core/store'
import { connect, type MysqlPool, ownSession, promised, type Row, type Session, type WithPromise } from './driver.ts'
import { type Sql, sql } from './statements.ts'

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
  state: "enum('in_progress','released','parked','completed','failed','tombstone') NOT NULL",
  attempt: 'int NOT NULL',
  interrupted: 'tinyint NOT NULL',
  lease_until: 'bigint NOT NULL',
  expires_at: 'bigint NOT NULL',
  checkpoint_seq: 'bigint',
  request: 'longblob',
  checkpoint: 'longblob',
  result: 'longblob',
}

/** The statements that create the table, for migrations of your own; run again, they change nothing. */
export function schema({ table }: SchemaOptions = {}): string[] {
  const columns = Object.entries(COLUMNS).map(([name, type]) => `  ${name} ${type},\n`)
  return [
    `CREATE TABLE IF NOT EXISTS ${tableName(table).text} (\n${columns.join('')}  KEY expires (expires_at)\n` +
      `) ENGINE = InnoDB DEFAULT CHARACTER SET ascii COMMENT = 'retryproof layout ${LAYOUT}'`,
  ]
}

/**
 * Creates the table where it is missing.
 *
 * @throws StoreMisconfiguredError when a table of that name is another one, or the server cannot carry a store
 */
export async function migrate({ pool, table }: MigrateOptions): Promise<void> {
  const connection = await connect(promised(pool), MIGRATION_TIMEOUT_MS)
  try {
    const session = ownSession(connection, MIGRATION_TIMEOUT_MS)
    for (const text of schema({ ...(table && { table }) })) await session.write({ text })
    await verify(session, table)
  } finally {
    connection.destroy()
  }
}

const MIGRATION_TIMEOUT_MS = 60_000
/** What a statement takes beside its one large value, which stands in it as hex. */
const ROOM_BYTES = 8 * 1024

/** @throws StoreMisconfiguredError when the table or the server is not what the statements expect */
export async function verify({ read }: Session, table = 'retryproof', maxValueBytes = 0): Promise<void> {
  const [server = {}] = await read(sql`
SELECT SLEEP(0.001) AS slept, NOW(6) = SYSDATE(6) AS frozen, @@autocommit AS autocommit, @@read_only AS readonly,
  @@max_allowed_packet AS packet`)
  const packet = 2 * maxValueBytes + ROOM_BYTES
  refuse(
    Number(server.frozen) === 1,
    'The server runs with --sysdate-is-now, and a statement that waited would judge by a time that is over. Start it without.',
  )
  refuse(['1', 'ON'].includes(String(server.readonly)), 'The server only reads (read_only). Connect to the primary.')
  refuse(
    Number(server.packet) < packet,
    `The server takes packets of ${server.packet} bytes. Raise its max_allowed_packet to ${packet}, or lower maxValueBytes.`,
  )

  const [name = '', database] = table.split('.').reverse()
  const ours = sql`table_schema = ${database ? text(database) : sql`DATABASE()`} AND table_name = ${text(name)}
  AND (@@lower_case_table_names <> 0 OR CAST(table_name AS BINARY) = ${name})`
  const [found] = await read(sql`
SELECT engine AS engine, table_comment AS comment FROM information_schema.tables WHERE ${ours}`)
  refuse(!found, `The table '${table}' is missing. Run migrate(), or the statements of schema().`)
  const layout = Number(/retryproof layout (\d+)/.exec(String(found?.comment))?.[1] ?? LAYOUT)
  refuse(
    layout > LAYOUT,
    `The table '${table}' belongs to a later version of @retryproof/mysql (layout ${layout}; this version knows ${LAYOUT}). Upgrade it.`,
  )
  refuse(found?.engine !== 'InnoDB', `The table '${table}' has the engine ${found?.engine}, and InnoDB is needed.`)

  const columns = await read(sql`
SELECT column_name AS name, column_type AS type, is_nullable AS optional, column_key AS part, extra AS extra
FROM information_schema.columns WHERE ${ours}`)
  refuse(
    columns.some(({ extra }) => /auto_increment/i.test(String(extra))),
    `The table '${table}' has an AUTO_INCREMENT column, and its numbers would be taken for answers of the store. Remove it.`,
  )
  const actual = columns.map(definition)
  const missing = Object.entries(COLUMNS)
    .map((entry) => entry.join(' '))
    .filter((column) => !actual.includes(column))
  refuse(
    missing.length > 0,
    `The table '${table}' has another layout: it has (${actual.join(', ')}), and lacks (${missing.join(', ')}). Choose another table.`,
  )
}

/** A column as COLUMNS has it; some servers tell the width at which a number is shown. */
function definition({ name, type, optional, part }: Row): string {
  const shown = String(type).replace(/int\(\d+\)/, 'int')
  return `${name} ${shown}${optional === 'NO' ? ' NOT NULL' : ''}${part === 'PRI' ? ' PRIMARY KEY' : ''}`
}

function refuse(problem: boolean, message: string): void {
  if (problem) throw new StoreMisconfiguredError(message)
}

/** The name, quoted. @throws IdempotencyInvalidOptionError when `table` is not one plain name, or two with a dot between */
export function tableName(table = 'retryproof'): Sql {
  if (/^([A-Za-z0-9_]{1,64}\.)?[A-Za-z0-9_]{1,64}$/.test(table)) return { text: `\`${table.replace('.', '`.`')}\`` }
  throw new IdempotencyInvalidOptionError(
    'table',
    `must be a name of at most 64 letters, digits and _, perhaps with its database, got ${JSON.stringify(table)}`,
  )
}

/** A plain name as text: bytes would be compared by case. */
const text = (name: string): Sql => ({ text: `'${name}'` })
