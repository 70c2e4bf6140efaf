/** The statements of the store, and how a record stands in a row. */
import { type StoredRecord, StoreMisconfiguredError } from '@retryproof/core/store'
import { isInTransaction, pragma, type SqliteDatabase, statement } from './driver.ts'
import { guard } from './errors.ts'
import { toRecord } from './record.ts'
import { columns, quoted, verifyJournal, verifyTable } from './schema.ts'

export type Statements = ReturnType<typeof prepareStatements>

const FULL = 2
const EXTRA = 3

/** @throws StoreMisconfiguredError when the database is not one that `migrate` has prepared */
export function prepareStatements(database: SqliteDatabase, table: string) {
  makeDurable(database)
  verifyTable(database, table)
  verifyJournal(database)
  const name = quoted(table)
  const all = Object.keys(columns) as (keyof typeof columns)[]
  /**
   * Range of keys, the time (µs) after which records expire, state twice, the time (µs) at which leases are over twice, limit. The
   * values stay where they are.
   */
  const page = (from: string) =>
    statement(
      database,
      `SELECT ${all.slice(0, -3)}, NULL AS request, NULL AS checkpoint, NULL AS result FROM ${from}
       WHERE k > ? AND k < ? AND state <> 'tombstone' AND expires_at > ? AND (? IS NULL OR state = ?)
         AND (? IS NULL OR (lease_until <= ? AND state IN ('in_progress', 'released'))) ORDER BY k LIMIT ?`,
    )
  return {
    /** k. As an array: better-sqlite3 makes a dictionary of thirteen names for each row. */
    read: statement(database, `SELECT ${all} FROM ${name} WHERE k = ?`, { asArrays: true }),
    /** Every column. SQLite writes only the pages that differ, so that a heartbeat costs no more beside a large request. */
    write: statement(
      database,
      `INSERT INTO ${name} (${all}) VALUES (${all.map((column) => (columns[column] === 'BLOB' ? 'CAST(? AS BLOB)' : '?'))})
       ON CONFLICT (k) DO UPDATE SET ${all.slice(1).map((column) => `${column} = excluded.${column}`)}`,
    ),
    /** Reads nothing, and gives the transaction the snapshot of this moment. */
    snapshot: statement(database, `SELECT 1 FROM ${name} WHERE 0`),
    /** Takes the write lock and changes nothing; fails where the transaction has read an older snapshot. */
    lock: statement(database, `UPDATE ${name} SET token = token WHERE 0`),
    /** expiry (µs), now (µs), limit */
    purge: statement(
      database,
      `DELETE FROM ${name} WHERE k IN (
         SELECT k FROM ${name} WHERE expires_at <= ? AND token < ? ORDER BY expires_at LIMIT ?)`,
    ),
    /** A page in the order of the index of keys, where most records match. */
    page: page(name),
    /** A page of few records among many: reads the table from end to end, which is faster than to look up each row. */
    search: page(`${name} NOT INDEXED`),
    /** now (µs) twice, range of keys. Reads the table from end to end: an index would look up each row by itself. */
    count: statement(
      database,
      `SELECT operation, state, count(*) AS records, sum(expired_us >= 0) AS leaseExpired,
         max(0, max(expired_us) / 1000) AS longestExpiredMs
       FROM (SELECT state, substr(rest, 1, instr(rest, '.') - 1) AS operation, expired_us
         FROM (SELECT state, substr(k, instr(k, '.') + 1) AS rest, iif(state = 'in_progress', ? - lease_until, -1) AS expired_us
           FROM ${name} NOT INDEXED WHERE expires_at > ? AND k > ? AND k < ? AND state <> 'tombstone'))
       GROUP BY operation, state ORDER BY operation, state`,
    ),
  }
}

/**
 * Opens a transaction with the write lock. Where a transaction has a snapshot, SQLite takes the lock at once or refuses:
 * it waits for nobody, whatever the busy time-out of the connection, and refuses also where somebody has written since.
 */
export function beginLocked(database: SqliteDatabase, { snapshot, lock }: Statements): void {
  guard(() => database.exec('BEGIN'))
  snapshot.get()
  lock.run()
}

export function readRecord(sql: Statements, key: string): StoredRecord | null {
  const row = sql.read.get(key)
  return row ? toRecord(row) : null
}

export function writeRecord(sql: Statements, key: string, record: StoredRecord): void {
  const { token, owner, fingerprint, state, attempt, leaseUntil, expiresAt, request, checkpoint, result } = record
  const numbers = [attempt, record.interrupted ? 1 : 0, leaseUntil, expiresAt, checkpoint?.seq ?? null]
  // as text: node:sqlite of Node 22 binds empty bytes as NULL
  const values = [request, checkpoint?.data ?? null, result].map((value) => (value?.length === 0 ? '' : value))
  sql.write.run(key, token, owner, fingerprint, state, ...numbers, ...values)
}

/** An acknowledged change survives a loss of power only with `synchronous` FULL, and better-sqlite3 opens with NORMAL. */
function makeDurable(database: SqliteDatabase): void {
  const level = Number(pragma(database, 'synchronous'))
  if (!isInTransaction(database)) {
    // said aloud also where it is so now: better-sqlite3 changes a level that nobody chose once the file is in WAL mode
    if (level < EXTRA) statement(database, 'PRAGMA synchronous = FULL').run()
  } else if (level < FULL) {
    throw new StoreMisconfiguredError('Run PRAGMA synchronous = FULL on the connection before its transaction opens.')
  }
}
