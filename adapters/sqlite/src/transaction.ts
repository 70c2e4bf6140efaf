/** Transactions on the one connection: when they may begin, and that they end. */
import { backOff, sleep } from '@retryproof/core/internal'
import { IdempotencyInvalidOptionError, isIdempotencyError, StoreUnavailableError } from '@retryproof/core/store'
import { isInTransaction, pragma, type SqliteDatabase } from './driver.ts'
import { guard, isLocked } from './errors.ts'

/** Bounds the time for which one call blocks the event loop while another process writes. */
const BLOCKING_MS = 25
const PAUSES = { firstMs: 1, maxMs: 50 }

/** Runs `work` in a transaction that holds the write lock from its start. Work that throws is rolled back. */
export function exclusively<T>(database: SqliteDatabase, work: () => T): T {
  impatiently(database, () => guard(() => database.exec('BEGIN IMMEDIATE')))
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
 * would block it, and every heartbeat with it. `mayRepeat` tells whether `work` may be called again after it failed.
 *
 * @throws {@link StoreUnavailableError} with `applied: 'no'` when it is locked for longer than `timeoutMs`
 */
export async function whenFree<T>(
  database: SqliteDatabase,
  timeoutMs: number,
  work: () => T,
  mayRepeat = () => true,
): Promise<T> {
  const until = performance.now() + timeoutMs
  for (let tries = 0; ; tries++) {
    let refusal: unknown
    try {
      if (!isInTransaction(database)) return work()
      // work would become a part of that transaction, and be undone with it
      const message = 'A transaction is open on the connection of the store: use bind() in it, or another connection.'
      refusal = new StoreUnavailableError(message, { applied: 'no' })
    } catch (error) {
      const isRefused = isIdempotencyError(error, 'IDEMPOTENCY_STORE_UNAVAILABLE') && isLocked(error.cause)
      if (!isRefused || !mayRepeat()) throw error
      refusal = error
    }
    if (performance.now() >= until) throw refusal
    await sleep(backOff(tries, PAUSES))
  }
}

/** Calls `work`, which takes a lock, with a short busy time-out, and gives the connection its own back. */
export function impatiently<T>(database: SqliteDatabase, work: () => T): T {
  const patienceMs = Number(pragma(database, 'busy_timeout'))
  if (patienceMs <= BLOCKING_MS) return work()
  database.exec(`PRAGMA busy_timeout = ${BLOCKING_MS}`)
  try {
    return work()
  } finally {
    database.exec(`PRAGMA busy_timeout = ${patienceMs}`)
  }
}

/**
 * Commits what `work` of the caller wrote, once `prepare` and the write lock allow it. Its own errors are the caller's,
 * also one that says that some database is locked: it is called once.
 */
export function inTransaction<Database extends SqliteDatabase, T>(
  database: Database,
  timeoutMs: number,
  prepare: () => unknown,
  work: (tx: Database) => T | Promise<T>,
): Promise<T> {
  let started = false
  const attempt = () => {
    prepare()
    return exclusively(database, () => {
      started = true
      return refusePromise(work(database))
    })
  }
  return whenFree(database, timeoutMs, attempt, () => !started)
}

/** The value of work that did not await: what runs after the first `await` would run outside of the transaction. */
function refusePromise<T>(value: T | Promise<T>): T {
  if (typeof Object(value).then !== 'function') return value as T
  // it is refused whatever becomes of it, and must not end the process as an unhandled rejection
  Promise.resolve(value).catch(() => undefined)
  throw new IdempotencyInvalidOptionError(
    'work',
    'must not be async: SQLite transactions are synchronous. It was rolled back.',
  )
}
