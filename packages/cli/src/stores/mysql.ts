/** A store in MySQL or MariaDB, by `mysql2`. */
import type { IdempotencyStore } from '@retryproof/core'
import { PURGE_GRACE_MS } from '@retryproof/core/store'
import { checkClock, checkVersion, type Finding, problem, warning } from '../checks/finding.ts'
import { loadModule } from '../target/load-module.ts'
import { named, type OpenedStore, quoted, type StoreAddress, statements } from './opened-store.ts'

interface Pool {
  query(text: string): Promise<[Record<string, unknown>[], unknown]>
  end(): Promise<void>
}
interface Adapter {
  mysqlStore(options: object): IdempotencyStore<never>
  schema(options: object): string[]
  migrate(options: object): Promise<void>
}

const NEEDED = ['@retryproof/mysql', 'mysql2']

export async function openMysql({ url, table, cwd, now }: StoreAddress): Promise<OpenedStore> {
  const adapter = await loadModule<Adapter>(cwd, '@retryproof/mysql', NEEDED)
  const driver = await loadModule<{ default: { createPool(options: object): Pool } }>(cwd, 'mysql2/promise', NEEDED)
  const uri = url.replace(/^mariadb:/, 'mysql:')
  const pool = driver.default.createPool({ uri, connectionLimit: 4, connectTimeout: 5000 })
  return {
    kind: 'mysql',
    store: adapter.mysqlStore({ pool, ...named(table) }),
    schema: () => statements(adapter.schema(named(table))),
    migrate: () => adapter.migrate({ pool, ...named(table) }),
    findings: () => findings(pool, quoted('`', table), now),
    async expired() {
      const [rows] = await pool.query(
        `SELECT COUNT(*) AS expired FROM ${quoted('`', table)}
         WHERE expires_at <= TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)) - ${PURGE_GRACE_MS * 1000}`,
      )
      return Number(rows[0]?.expired)
    },
    async bytes() {
      const [rows] = await pool.query(`SHOW TABLE STATUS ${ofTable(table)}`)
      return Number(rows[0]?.Data_length) + Number(rows[0]?.Index_length)
    },
    close: () => pool.end(),
  }
}

/** Names a table in a statement about tables. */
function ofTable(table = 'retryproof'): string {
  const [name, database] = table.split('.').reverse()
  return `${database === undefined ? '' : `FROM ${quoted('`', database)} `}WHERE Name = '${name?.replaceAll("'", "''")}'`
}

async function findings(pool: Pool, table: string, now: () => number): Promise<Finding[]> {
  const [rows] = await pool.query(
    `SELECT VERSION() AS version, @@log_bin AS binlog, @@binlog_format AS format, @@innodb_flush_log_at_trx_commit AS flush, @@sync_binlog AS sync,
       @@innodb_doublewrite AS doublewrite, TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)) AS now`,
  )
  const row = rows[0] ?? {}
  const version = String(row.version)
  const found: Finding[] = [
    ...(/mariadb/i.test(version) ? checkVersion('MariaDB', version, '10.5') : checkVersion('MySQL', version, '8.0')),
    ...checkClock(Number(row.now) / 1000, now()),
  ]
  const logs = Number(row.binlog) === 1
  if (logs && row.format === 'STATEMENT')
    found.push(
      problem(
        'binlog_format is STATEMENT: replicas run the statements again by clocks of their own, and hold other records.',
        'Set binlog_format = ROW.',
        /binlog_format/i,
      ),
    )
  if (Number(row.flush) !== 1)
    found.push(
      problem(
        `innodb_flush_log_at_trx_commit is ${row.flush}: a crash loses the last second of records, and their writes run again.`,
        'Set innodb_flush_log_at_trx_commit = 1.',
      ),
    )
  if (logs && Number(row.sync) !== 1)
    found.push(
      warning(
        `sync_binlog is ${row.sync}: after a crash of the primary, a replica may hold other records.`,
        'Set sync_binlog = 1.',
      ),
    )
  const lacking = await lackingPrivileges(pool, table)
  if (lacking.length > 0)
    found.push(
      problem(
        `The user lacks ${lacking.join(', ')} on the table ${table}.`,
        `Run GRANT ${lacking.join(', ')} ON ${table} TO the user of the store.`,
        /denied/,
      ),
    )
  const indexes = await pool
    .query(`SHOW INDEX FROM ${table} WHERE Column_name = 'expires_at' AND Seq_in_index = 2`)
    .then(
      ([index]) => index.length,
      () => undefined,
    )
  if (indexes === 0)
    found.push(
      warning(
        `The table ${table} has no index by state and expiry: each count and purge reads all of it.`,
        `Run ALTER TABLE ${table} ADD INDEX expires (state, expires_at), after DROP INDEX expires on a table of an earlier version.`,
      ),
    )
  return found
}

/** Tries statements that touch no record. */
async function lackingPrivileges(pool: Pool, table: string): Promise<string[]> {
  const tried = {
    SELECT: `SELECT k FROM ${table} WHERE FALSE`,
    INSERT: `INSERT INTO ${table} (k) SELECT '' FROM DUAL WHERE FALSE`,
    UPDATE: `UPDATE ${table} SET k = '' WHERE FALSE`,
    DELETE: `DELETE FROM ${table} WHERE FALSE`,
  }
  const lacking: string[] = []
  for (const [privilege, statement] of Object.entries(tried)) {
    await pool.query(statement).catch((error: { code?: string }) => {
      if (/^ER_(TABLE|COLUMN)ACCESS_DENIED_ERROR$/.test(error.code ?? '')) lacking.push(privilege)
    })
  }
  return lacking
}
