/** The driver as this store uses it: better-sqlite3, node:sqlite and bun:sqlite all fit. Its errors become the port's. */
import { type IdempotencyError, StoreMisconfiguredError, StoreUnavailableError } from '@retryproof/core'

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
      if (!(error instanceof StoreUnavailableError && isLocked(error.cause))) throw error
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

function guard<T>(call: () => T, applied: 'no' | 'unknown' = 'no'): T {
  try {
    return call()
  } catch (error) {
    throw toStoreError(error, applied)
  }
}

const advice: Record<string, string> = {
  BUSY: 'Another connection holds the lock: end its transaction, or raise lockTimeoutMs.',
  READONLY: 'Open it for writing, and let this process write to the file and to its folder.',
  CORRUPT: 'The file is damaged: restore it from a backup, or recover it with the sqlite3 shell.',
  FULL: 'Make room on the disk, raise max_page_count, or purge.',
  CANTOPEN: 'Its folder must exist, and this process must be able to write to it.',
  NOTADB: 'Open another file: this one is no SQLite database, or it is encrypted.',
}

function toStoreError(cause: unknown, applied: 'no' | 'unknown'): IdempotencyError {
  const name = resultName(cause)
  const text = cause instanceof Error ? cause.message : String(cause)
  if (/no such (table|column)|has no column/.test(text)) {
    return new StoreMisconfiguredError(`SQLite: ${text}. Run migrate(), or the statements of schema().`, { cause })
  }
  const message = `SQLite: ${text}. ${advice[name] ?? ''}`.trimEnd()
  if (name === 'READONLY' || name === 'NOTADB') return new StoreMisconfiguredError(message, { cause })
  // a COMMIT that says so too has written nothing
  const isSure = isLocked(cause) || name === 'FULL'
  return new StoreUnavailableError(message, { applied: isSure ? 'no' : applied, cause })
}

function isLocked(cause: unknown): boolean {
  return ['BUSY', 'LOCKED'].includes(resultName(cause))
}

/** SQLite's result codes by their numbers. */
const names =
  'OK ERROR INTERNAL PERM ABORT BUSY LOCKED NOMEM READONLY INTERRUPT IOERR CORRUPT NOTFOUND FULL CANTOPEN PROTOCOL ' +
  'EMPTY SCHEMA TOOBIG CONSTRAINT MISMATCH MISUSE NOLFS AUTH FORMAT RANGE NOTADB'

/** The result code without its extension: node:sqlite gives a number, the others a name. */
function resultName(error: unknown): string {
  const { code, errcode } = Object(error) as { code?: unknown; errcode?: unknown }
  if (typeof errcode === 'number') return names.split(' ')[errcode & 0xff] ?? ''
  return /^SQLITE_([A-Z]+)/.exec(String(code))?.[1] ?? ''
}
