/** The table: its names, its creation, and the check that the one that is there is ours. */
import { assertKnownOptions, IdempotencyInvalidOptionError, StoreMisconfiguredError } from '@retryproof/core/store'
import { ask, isEmbedded, type PostgresDatabase, type PostgresQueryable, requireDriver } from './driver.ts'
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
  /** True where the table has the column by which a purge finds old records: a table of an earlier version has none. */
  readonly hasSlots: boolean
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
/**
 * The ten minutes in which a record expires. An update that changes no indexed column writes no index entry (HOT), and most
 * changes of the expiry stay in their slot.
 */
export const SLOT_US = 600_000_000
const SLOT = `expires_slot integer NOT NULL GENERATED ALWAYS AS ((expires_at / ${SLOT_US})::integer) STORED`
/** Vacuum comes after a twentieth of the table has changed, not after a fifth: purges and settles leave old rows all the time. */
const UPKEEP = ['vacuum', 'vacuum_insert', 'analyze'].map((name) => `autovacuum_${name}_scale_factor = 0.05`).join(', ')

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
    hasSlots: true,
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
export function schema(options: SchemaOptions = {}): string[] {
  assertKnownOptions(options, { table: true, partitions: true })
  const { table, partitions = 0 } = options
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
    return `CREATE TABLE IF NOT EXISTS ${names.partition(remainder)} PARTITION OF ${names.table} ${values} WITH (${UPKEEP})`
  })
  return [
    `CREATE TABLE IF NOT EXISTS ${names.table} (\n  ${[SLOT, ...columns].join(',\n  ')}\n) ${partitions ? 'PARTITION BY HASH (k)' : `WITH (${UPKEEP})`}`,
    ...parts,
    `CREATE INDEX IF NOT EXISTS ${names.index} ON ${names.table} (expires_slot)`,
  ]
}

/**
 * Makes the table where it is missing, and checks the one that is there. A table of an earlier version keeps its columns and
 * its index, since another would lock it for as long as it takes to write every row again; it gets the settings of vacuum,
 * where it has none. Safe to run from several processes at once, and beside calls of stores.
 *
 * @example
 * import { migrate } from '@retryproof/postgres'
 * import pg from 'pg'
 *
 * const pool = new pg.Pool({ host: 'localhost' })
 * await migrate({ pool })
 *
 * @throws {@link StoreMisconfiguredError} when the table is another, is UNLOGGED, or belongs to a later version, or the
 * server is older than PostgreSQL 13
 */
export async function migrate(given: MigrateOptions): Promise<void> {
  assertKnownOptions(given, { pool: true, table: true, partitions: true })
  const { pool, ...options } = given
  requireDriver(pool)
  const names = tableNames(options.table)
  const inspect = async () => (await ask<Found>(pool, { text: INSPECT }, [names.table]))[0]
  // one round trip is one transaction here; the lock ends with it
  const run = (statements: readonly string[]) => {
    const script = ["SELECT pg_advisory_xact_lock(hashtextextended('retryproof', 0))", ...statements].join(';\n')
    return isEmbedded(pool) ? pool.exec(script) : pool.query(script)
  }
  const create = schema(options)
  try {
    await requireVersion(pool)
    let found = await inspect()
    // also where nothing is missing, CREATE INDEX would wait for every open transaction that has written, and others for it
    if (!found || (found.hasSlots && !found.indexed)) {
      await run(create)
      found = await inspect()
    }
    const problem = found && problemOf(found, names)
    if (problem) throw new StoreMisconfiguredError(`The table ${names.table} ${problem}`)
    const untuned = found?.untuned ?? []
    if (untuned.length > 0) await run(untuned.map((relation) => `ALTER TABLE ${relation} SET (${UPKEEP})`))
  } catch (error) {
    throw toStoreError(error, names.table)
  }
}

/** Settings of vacuum in the schema, and types that its check asks for, came with PostgreSQL 13. */
const OLDEST_VERSION = 130_000
const VERSION = `
SELECT json_build_object('number', current_setting('server_version_num')::int, 'name', current_setting('server_version'))::text AS reply`

async function requireVersion(db: PostgresQueryable): Promise<void> {
  const [version] = await ask<{ readonly number: number; readonly name: string }>(db, { text: VERSION }, [])
  if (version && version.number < OLDEST_VERSION)
    throw new StoreMisconfiguredError(`The store needs PostgreSQL 13 or later, and this server is ${version.name}.`)
}

/**
 * The table with its schema. The meaning of a name depends on the search path of the session, which an application may change
 * from tenant to tenant: a key that is begun in one table and repeated in another would run twice.
 *
 * @throws {@link StoreMisconfiguredError} when there is no such table, or several of which a changed search path chooses one
 */
export async function qualify(db: PostgresQueryable, names: TableNames): Promise<TableNames> {
  const { unqualified } = names
  const [found] = await ask<Located>(db, { text: LOCATE }, [names.table, unqualified ?? null])
  if (!found?.schema)
    throw new StoreMisconfiguredError(
      `The table ${names.table} does not exist: run migrate(), or the statements that schema() gives.`,
    )
  const { hasSlots } = found
  if (unqualified === undefined) return { ...names, hasSlots }
  if (found.changed && found.tables > 1)
    throw new StoreMisconfiguredError(
      `${found.tables} schemas have a table ${names.table}, and this session has changed its search path or role. Name the ` +
        'schema in `table`, and give each tenant a store of its own.',
    )
  return { ...names, hasSlots, table: `"${found.schema.replaceAll('"', '""')}".${names.table}` }
}

interface Located {
  readonly schema: string | null
  readonly tables: number
  readonly changed: boolean
  readonly hasSlots: boolean
}

const SLOT_OF = (relation: string) =>
  `SELECT FROM pg_attribute WHERE attrelid = ${relation} AND attname = 'expires_slot' AND NOT attisdropped`

const LOCATE = `
SELECT json_build_object('hasSlots', EXISTS (${SLOT_OF('to_regclass($1)')}),
  'schema', (SELECT nspname FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE c.oid = to_regclass($1)),
  'tables', (SELECT count(*) FROM pg_class WHERE relname = $2 AND relkind IN ('r', 'p') AND relpersistence <> 't'),
  'changed', current_user <> session_user OR (SELECT setting <> reset_val FROM pg_settings WHERE name = 'search_path')
)::text AS reply`

interface Found {
  readonly persistence: string
  readonly key: string | null
  /** Tells whether an index leads with the column by which a purge finds old records. */
  readonly indexed: boolean
  readonly columns: Readonly<Record<string, string>>
  readonly hasSlots: boolean
  /** Tables and partitions of this role without settings of their own. */
  readonly untuned: readonly string[] | null
}

const INSPECT = `
SELECT json_build_object('persistence', relpersistence, 'hasSlots', EXISTS (${SLOT_OF('c.oid')}),
  'untuned', (SELECT json_agg(leaf.oid::regclass::text) FROM pg_class leaf WHERE leaf.relkind = 'r' AND leaf.reloptions IS NULL AND pg_has_role(leaf.relowner, 'USAGE')
    AND (leaf.oid = c.oid OR leaf.oid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = c.oid))),
  'key', (SELECT conname FROM pg_constraint WHERE conrelid = c.oid AND contype = 'p'),
  'indexed', EXISTS (SELECT FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = indkey[0] WHERE indrelid = c.oid
    AND attname = CASE WHEN EXISTS (${SLOT_OF('c.oid')}) THEN 'expires_slot' ELSE 'expires_at' END),
  'columns', (SELECT json_object_agg(attname, format_type(atttypid, atttypmod) || CASE attcollation WHEN '"C"'::regcollation THEN ' COLLATE "C"' ELSE '' END)
    FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped)
)::text AS reply FROM pg_class c WHERE oid = to_regclass($1)`

function problemOf(
  { persistence, key, indexed, columns, hasSlots }: Found,
  { layout, table, index }: TableNames,
): string | null {
  if (persistence === 'u') return 'is UNLOGGED: a crash of the server would empty it. Say ALTER TABLE … SET LOGGED.'
  const other = Object.keys(COLUMNS).filter((name) => columns[name] !== COLUMNS[name])
  if (`"${key}"` === layout && other.length === 0) {
    if (indexed) return null
    const column = hasSlots ? 'expires_slot' : 'expires_at'
    return `has no index on ${column}, since something else is called ${index}. Say CREATE INDEX … ON ${table} (${column}).`
  }
  const differ = `primary key ${key}, ours ${layout}; columns that differ: ${other.join(', ') || 'none'}`
  return `has another layout, or belongs to a later version (${differ}): give the store a table of its own.`
}
