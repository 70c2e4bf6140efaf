/** The table: its names, its creation, and the check that the one that is there is ours. */
import { IdempotencyInvalidOptionError, StoreMisconfiguredError } from '@retryproof/core/store'
import { ask, isEmbedded, type PostgresDatabase, type PostgresQueryable } from './driver.ts'
import { toStoreError } from './errors.ts'

export interface SchemaOptions {
  /** The table, perhaps with its schema: `idempotency.records`. @default 'retryproof' */
  readonly table?: string
  /** Spreads the table over this many hash partitions, 2 to 1024. Without it, one table. */
  readonly partitions?: number
}

export interface MigrateOptions extends SchemaOptions {
  /** A pool, a client or a PGlite whose role may create tables. */
  readonly pool: PostgresDatabase<never>
}

/** Quoted names. `layout` names the primary key, so that statements for another layout fail before they write. */
export interface TableNames {
  readonly table: string
  /** The table without its schema, unquoted, where none was named: a session decides which one it means. */
  readonly unqualified: string | undefined
  readonly layout: string
  readonly index: string
  partition(number: number): string
}

const LAYOUT = 1
/** Columns; those of a fixed length stand first, so that no byte is lost to alignment. */
const COLUMNS: Record<string, string> = {
  token: 'bigint',
  lease_until: 'bigint',
  expires_at: 'bigint',
  checkpoint_seq: 'bigint',
  attempt: 'integer',
  interrupted: 'boolean',
  state: 'text',
  k: 'text COLLATE "C"',
  owner: 'text',
  fingerprint: 'text',
  request: 'bytea',
  checkpoint: 'bytea',
  result: 'bytea',
}
const NULLABLE = ['checkpoint_seq', 'request', 'checkpoint', 'result']

/** @throws IdempotencyInvalidOptionError when `table` is not one name, or two with a dot between */
export function tableNames(table = 'retryproof'): TableNames {
  if (!/^([a-z_][a-z0-9_]{0,62}\.)?[a-z_][a-z0-9_]{0,47}$/i.test(table)) {
    throw new IdempotencyInvalidOptionError(
      'table',
      `must be a name of at most 48 letters, digits and _, perhaps with its schema, got ${JSON.stringify(table)}`,
    )
  }
  const parts = table.split('.')
  const name = parts.at(-1)
  const inSchema = (last: string) => [...parts.slice(0, -1), last].map((part) => `"${part}"`).join('.')
  return {
    table: inSchema(`${name}`),
    unqualified: parts.length === 1 ? name : undefined,
    layout: `"${name}_layout_${LAYOUT}"`,
    index: `"${name}_expires"`,
    partition: (number) => inSchema(`${name}_p${number}`),
  }
}

/**
 * The statements that make the table and its index, for migrations of your own; run again, they change nothing.
 *
 * @example
 * import { schema } from '@retryproof/postgres'
 *
 * const migration = schema({ table: 'idempotency' }).join(';\n')
 */
export function schema({ table, partitions = 0 }: SchemaOptions = {}): string[] {
  if (partitions !== 0 && !(Number.isInteger(partitions) && partitions >= 2 && partitions <= 1024)) {
    throw new IdempotencyInvalidOptionError('partitions', `must be a whole number from 2 to 1024, got ${partitions}`)
  }
  const names = tableNames(table)
  const columns = Object.entries(COLUMNS).map(([name, type]) => {
    const constraint =
      name === 'k' ? ` CONSTRAINT ${names.layout} PRIMARY KEY` : NULLABLE.includes(name) ? '' : ' NOT NULL'
    return `${name} ${type}${constraint}`
  })
  const parts = Array.from({ length: partitions }, (_, remainder) => {
    const values = `FOR VALUES WITH (MODULUS ${partitions}, REMAINDER ${remainder})`
    return `CREATE TABLE IF NOT EXISTS ${names.partition(remainder)} PARTITION OF ${names.table} ${values}`
  })
  return [
    `CREATE TABLE IF NOT EXISTS ${names.table} (\n  ${columns.join(',\n  ')}\n)${partitions ? ' PARTITION BY HASH (k)' : ''}`,
    ...parts,
    `CREATE INDEX IF NOT EXISTS ${names.index} ON ${names.table} (expires_at)`,
  ]
}

/**
 * Makes the table where it is missing, and checks the one that is there. Safe to run from several processes at once.
 *
 * @example
 * import { migrate } from '@retryproof/postgres'
 * import pg from 'pg'
 *
 * const pool = new pg.Pool({ host: 'localhost' })
 * await migrate({ pool })
 *
 * @throws StoreMisconfiguredError when the table is another, is UNLOGGED, or belongs to a later version
 */
export async function migrate({ pool, ...options }: MigrateOptions): Promise<void> {
  const names = tableNames(options.table)
  // one round trip is one transaction here; the lock ends with it
  const script = ["SELECT pg_advisory_xact_lock(hashtextextended('retryproof', 0))", ...schema(options)].join(';\n')
  try {
    await (isEmbedded(pool) ? pool.exec(script) : pool.query(script))
    const [found] = await ask<Found>(pool, { text: INSPECT }, [names.table], false)
    const problem = found && problemOf(found, names)
    if (problem) throw new StoreMisconfiguredError(`The table ${names.table} ${problem}`)
  } catch (error) {
    throw toStoreError(error, names.table)
  }
}

/**
 * The table with its schema. The meaning of a name depends on the search path of the session, which an application may change
 * from tenant to tenant: a key that is begun in one table and repeated in another would run twice.
 *
 * @throws {@link StoreMisconfiguredError} when there is no such table, or several of which a changed search path chooses one
 */
export async function qualify(db: PostgresQueryable, names: TableNames): Promise<TableNames> {
  const { unqualified } = names
  if (unqualified === undefined) return names
  const [found] = await ask<Located>(db, { text: LOCATE }, [names.table, unqualified])
  if (!found?.schema)
    throw new StoreMisconfiguredError(
      `The table ${names.table} does not exist: run migrate(), or the statements that schema() gives.`,
    )
  if (found.changed && found.tables > 1)
    throw new StoreMisconfiguredError(
      `${found.tables} schemas have a table ${names.table}, and this session has changed its search path or role. Name the ` +
        'schema in `table`, and give each tenant a store of its own.',
    )
  return { ...names, table: `"${found.schema.replaceAll('"', '""')}".${names.table}` }
}

interface Located {
  readonly schema: string | null
  readonly tables: number
  readonly changed: boolean
}

const LOCATE = `
SELECT json_build_object(
  'schema', (SELECT nspname FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE c.oid = to_regclass($1)),
  'tables', (SELECT count(*) FROM pg_class WHERE relname = $2 AND relkind IN ('r', 'p') AND relpersistence <> 't'),
  'changed', current_user <> session_user OR (SELECT setting <> reset_val FROM pg_settings WHERE name = 'search_path')
)::text AS reply`

interface Found {
  readonly persistence: string
  readonly key: string | null
  /** Tells whether an index leads with `expires_at`. */
  readonly indexed: boolean
  readonly columns: Readonly<Record<string, string>>
}

const INSPECT = `
SELECT json_build_object('persistence', relpersistence,
  'key', (SELECT conname FROM pg_constraint WHERE conrelid = c.oid AND contype = 'p'),
  'indexed', EXISTS (SELECT FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = indkey[0] WHERE indrelid = c.oid AND attname = 'expires_at'),
  'columns', (SELECT json_object_agg(attname, format_type(atttypid, atttypmod) || CASE attcollation WHEN '"C"'::regcollation THEN ' COLLATE "C"' ELSE '' END)
    FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped)
)::text AS reply FROM pg_class c WHERE oid = to_regclass($1)`

function problemOf({ persistence, key, indexed, columns }: Found, { layout, table, index }: TableNames): string | null {
  if (persistence === 'u') return 'is UNLOGGED: a crash of the server would empty it. Say ALTER TABLE … SET LOGGED.'
  const other = Object.keys(COLUMNS).filter((name) => columns[name] !== COLUMNS[name])
  if (`"${key}"` === layout && other.length === 0) {
    if (indexed) return null
    return `has no index on expires_at, since something else is called ${index}. Say CREATE INDEX … ON ${table} (expires_at).`
  }
  const differ = `primary key ${key}, ours ${layout}; columns that differ: ${other.join(', ') || 'none'}`
  return `has another layout, or belongs to a later version (${differ}): give the store a table of its own.`
}
