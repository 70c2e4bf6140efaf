/** A store in PostgreSQL, by `pg`. */
import type { IdempotencyStore } from '@retryproof/core'
import { PURGE_GRACE_MS } from '@retryproof/core/store'
import { checkClock, checkVersion, type Finding, problem, warning } from '../checks/finding.ts'
import { loadModule } from '../target/load-module.ts'
import { named, type OpenedStore, quoted, type StoreAddress, statements } from './opened-store.ts'

interface Client {
  query(text: string, values?: readonly unknown[]): Promise<{ rows: Record<string, unknown>[] }>
  release(): void
  readonly processID?: number
}
interface Pool {
  connect(): Promise<Client>
  query: Client['query']
  end(): Promise<void>
  on(event: 'error', listener: () => void): void
}
interface Adapter {
  postgresStore(options: object): IdempotencyStore<never>
  schema(options: object): string[]
  migrate(options: object): Promise<void>
}

const NEEDED = ['@retryproof/postgres', 'pg']

export async function openPostgres({ url, table, cwd, now }: StoreAddress): Promise<OpenedStore> {
  const adapter = await loadModule<Adapter>(cwd, '@retryproof/postgres', NEEDED)
  const driver = await loadModule<{ default: { Pool: new (options: object) => Pool } }>(cwd, 'pg', NEEDED)
  const pool = new driver.default.Pool({ connectionString: url, max: 4, connectionTimeoutMillis: 5000 })
  // a connection that breaks while nobody uses it is no reason to end
  pool.on('error', () => undefined)
  return {
    kind: 'postgres',
    store: adapter.postgresStore({ pool, ...named(table) }),
    schema: () => statements(adapter.schema(named(table))),
    migrate: () => adapter.migrate({ pool, ...named(table) }),
    findings: () => findings(pool, quoted('"', table), adapter.schema(named(table)), now),
    async expired() {
      const { rows } = await pool.query(
        `SELECT count(*) AS expired FROM ${quoted('"', table)} WHERE expires_at <= extract(epoch FROM clock_timestamp()) * 1000000 - $1`,
        [PURGE_GRACE_MS * 1000],
      )
      return Number(rows[0]?.expired)
    },
    async bytes() {
      const { rows } = await pool.query(
        `SELECT sum(pg_total_relation_size(oid)) AS bytes FROM pg_class
         WHERE oid = to_regclass($1) OR oid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = to_regclass($1))`,
        [quoted('"', table)],
      )
      return Number(rows[0]?.bytes)
    },
    close: () => pool.end(),
  }
}

async function findings(pool: Pool, table: string, schema: readonly string[], now: () => number): Promise<Finding[]> {
  const { rows } = await pool.query(
    `SELECT pg_is_in_recovery() AS replica, current_setting('server_version') AS version,
       extract(epoch FROM clock_timestamp()) * 1000 AS now, current_setting('synchronous_commit') AS "synchronousCommit",
       current_setting('fsync') AS fsync, current_setting('full_page_writes') AS "fullPageWrites",
       (SELECT relpersistence FROM pg_class WHERE oid = to_regclass($1)) AS persistence,
       (SELECT string_agg(p, ', ') FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) p
        WHERE NOT has_table_privilege(to_regclass($1), p)) AS lacking,
       (SELECT count(*) FROM pg_index WHERE indrelid = to_regclass($1) AND indisvalid AND indkey[0] =
         (SELECT attnum FROM pg_attribute WHERE attrelid = to_regclass($1) AND attname IN ('expires_slot', 'expires_at')
          ORDER BY attname DESC LIMIT 1)) AS indexes`,
    [table],
  )
  const row = rows[0] ?? {}
  const found: Finding[] = [
    ...checkVersion('PostgreSQL', String(row.version), '13'),
    ...checkClock(Number(row.now), now()),
  ]
  if (row.replica)
    found.push(problem('The server is a replica, which only reads.', 'Connect to the primary.', /only reads/))
  if (row.persistence === 'u')
    found.push(
      problem(
        `The table ${table} is UNLOGGED: a crash of the server would empty it.`,
        `Run ALTER TABLE ${table} SET LOGGED.`,
      ),
    )
  const differing = await differingColumns(pool, table, schema.join(';'))
  if (differing.length > 0)
    found.push(
      problem(
        `The table ${table} has another layout: ${differing.join(', ')}.`,
        'Give the store a table of its own.',
        /another layout/,
      ),
    )
  if (row.lacking)
    found.push(
      problem(
        `The user lacks ${row.lacking} on the table ${table}.`,
        `Run GRANT ${row.lacking} ON ${table} TO the user of the store.`,
        /permission denied/,
      ),
    )
  if (row.persistence && Number(row.indexes) === 0)
    found.push(
      warning(`The table ${table} has no index on its expiry: each purge reads all of it.`, 'Run retryproof migrate.'),
    )
  if (row.fsync === 'off') found.push(problem('fsync is off: a crash may lose or damage records.', 'Set fsync = on.'))
  if (row.fullPageWrites === 'off')
    found.push(
      problem(
        'full_page_writes is off: a crash may leave torn pages, which lose records.',
        'Set full_page_writes = on.',
      ),
    )
  if (row.synchronousCommit === 'off')
    found.push(
      problem(
        'synchronous_commit is off: a crash loses the last acknowledged records, and their writes run again.',
        'Set synchronous_commit = on for the role of the store.',
      ),
    )
  if (await isSharedBetweenClients(pool))
    found.push(
      warning(
        'A pooler in transaction mode (PgBouncer) stands before the server: the store works, and `watch` does not.',
        'Give `watch` a connection of its own to the server, or leave it out.',
      ),
    )
  return found
}

/** Returns the columns of the table that the schema has with another type or collation. */
async function differingColumns(pool: Pool, table: string, schema: string): Promise<string[]> {
  const { rows } = await pool.query(
    `SELECT attname AS name, attname || ' ' || format_type(atttypid, atttypmod) ||
       CASE WHEN attcollation NOT IN (0, 100) THEN ' COLLATE ' || quote_ident(collname) ELSE '' END AS "column"
     FROM pg_attribute LEFT JOIN pg_collation c ON c.oid = attcollation
     WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped`,
    [table],
  )
  return rows
    .filter(({ name }) => schema.includes(` ${name} `))
    .map(({ column }) => String(column))
    .filter((column) => !schema.includes(` ${column}`) || schema.includes(` ${column} COLLATE`))
}

/** Tells whether two clients that are connected at once are given one connection of the server. */
async function isSharedBetweenClients(pool: Pool): Promise<boolean> {
  const clients = await Promise.all([pool.connect(), pool.connect()])
  try {
    const seen = new Set<unknown>()
    for (const client of clients) {
      const { rows } = await client.query('SELECT pg_backend_pid() AS pid')
      seen.add(rows[0]?.pid)
    }
    return seen.size < clients.length
  } finally {
    for (const client of clients) client.release()
  }
}
