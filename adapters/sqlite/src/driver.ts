/** The driver as this store uses it: better-sqlite3, node:sqlite and bun:sqlite all fit. Its errors become the port's. */
import { isIdempotencyError, StoreUnavailableError } from '@retryproof/core/store'
import { guard, isLocked } from './errors.ts'

export interface SqliteStatement {
  get(...values: unknown[]): unknown
  all(...values: unknown[]): unknown[]
  run(...values: unknown[]): { changes: number | bigint }
  /** node:sqlite, where a connection may have been opened with rows as arrays. */
  setReturnArrays?(enabled: boolean): void
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

/** How long one call may block the event loop while another process writes. */
const BLOCKING_MS = 25
const MAX_PAUSE_MS = 50

/** A prepared statement that throws the port's errors. */
export function statement(database: SqliteDatabase, sql: string): Pick<SqliteStatement, 'get' | 'all' | 'run'> {
  const prepared = guard(() => database.prepare(sql))
  prepared.setReturnArrays?.(false)
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

/** Runs `work` in a transaction that holds the write lock from its start. Work that throws is rolled back. */
export function exclusively<T>(database: SqliteDatabase, work: () => T): T {
  guard(() => database.exec('BEGIN IMMEDIATE'))
  try {
    const value = work()
    guard(() => database.exec('COMMIT'), 'unknown')
    return value
  } catch (error) {
    // some errors have rolled back by themselves
    if (isInTransaction(database)) guard(() => database.exec('ROLLBACK'))
    throw error
  }
}

/**
 * Calls `work` once the database is not locked. In between the event loop is free: the busy time-out of the connection
 * would block it, and every heartbeat with it.
 *
 * @throws StoreUnavailableError `'no'` when it is locked for longer than `timeoutMs`
 */
export async function whenFree<T>(database: SqliteDatabase, timeoutMs: number, work: () => T): Promise<T> {
  const until = performance.now() + timeoutMs
  for (let pauseMs = 1; ; pauseMs = Math.min(2 * pauseMs, MAX_PAUSE_MS)) {
    let refusal: unknown
    try {
      if (!isInTransaction(database)) return impatiently(database, work)
      // work would become a part of that transaction, and be undone with it
      const message = 'A transaction is open on the connection of the store: use bind() in it, or another connection.'
      refusal = new StoreUnavailableError(message, { applied: 'no' })
    } catch (error) {
      if (!(isIdempotencyError(error, 'IDEMPOTENCY_STORE_UNAVAILABLE') && isLocked(error.cause))) throw error
      refusal = error
    }
    if (performance.now() >= until) throw refusal
    await new Promise((resolve) => setTimeout(resolve, Math.random() * pauseMs))
  }
}

/** Calls `work` with a short busy time-out, and gives the connection its own back. */
function impatiently<T>(database: SqliteDatabase, work: () => T): T {
  const patienceMs = Number(pragma(database, 'busy_timeout'))
  if (patienceMs <= BLOCKING_MS) return work()
  database.exec(`PRAGMA busy_timeout = ${BLOCKING_MS}`)
  try {
    return work()
  } finally {
    database.exec(`PRAGMA busy_timeout = ${patienceMs}`)
  }
}
