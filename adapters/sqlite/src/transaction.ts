/** Transactions on the one connection: when they may begin, and that they end. */
import { backOff, sleep } from '@retryproof/core/internal'
import {
  answered,
  IdempotencyInvalidOptionError,
  isIdempotencyError,
  StoreUnavailableError,
} from '@retryproof/core/store'
import { isInTransaction, pragma, type SqliteDatabase } from './driver.ts'
import { guard, isLocked } from './errors.ts'

/** Bounds the time for which one try blocks the event loop while another process writes. */
const BLOCKING_MS = 25
const PAUSES = { firstMs: 1, maxMs: 50 }

/** Runs `work` in a transaction that `begin` opens, with the write lock. What throws is rolled back. */
export function exclusively<T>(database: SqliteDatabase, begin: () => void, work: () => T): T {
  try {
    begin()
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
 * would block it, and every heartbeat with it. `mayRepeat` tells whether `work` may be called again after it failed, and
 * `isRepeated` tells `work` that it is. The promise shows an answer that was there at once.
 *
 * @throws {@link StoreUnavailableError} with `applied: 'no'` when it is locked for longer than `timeoutMs`
 */
export function whenFree<T>(
  database: SqliteDatabase,
  timeoutMs: number,
  work: (isRepeated: boolean) => T,
  mayRepeat = () => true,
): Promise<T> {
  function attempt(isRepeated: boolean): T {
    // work would become a part of that transaction, and be undone with it
    if (isInTransaction(database)) throw new StoreUnavailableError(OPEN, { applied: 'no' })
    return work(isRepeated)
  }
  async function repeat(refused: unknown): Promise<T> {
    const until = performance.now() + timeoutMs
    for (let tries = 0, refusal = refused; ; tries++) {
      if (!isBusy(refusal) || !mayRepeat() || performance.now() >= until) throw refusal
      await sleep(backOff(tries, PAUSES))
      try {
        return attempt(true)
      } catch (error) {
        refusal = error
      }
    }
  }
  try {
    const answer = attempt(false)
    return answered(() => answer)
  } catch (error) {
    return repeat(error)
  }
}

const OPEN = 'A transaction is open on the connection of the store: use bind() in it, or another connection.'

/** Tells whether an error says that what failed may succeed once others have ended their transactions. */
function isBusy(error: unknown): boolean {
  if (!isIdempotencyError(error, 'IDEMPOTENCY_STORE_UNAVAILABLE')) return false
  return error.message === OPEN || isLocked(error.cause)
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

/** Opens a transaction with the write lock, for which it waits in the line of SQLite's own busy time-out. */
export function beginImmediate(database: SqliteDatabase): void {
  impatiently(database, () => guard(() => database.exec('BEGIN IMMEDIATE')))
}

/**
 * Commits what `work` of the caller wrote, once `begin` has the write lock. Its own errors are the caller's,
 * also one that says that some database is locked: it is called once.
 */
export function inTransaction<Database extends SqliteDatabase, T>(
  database: Database,
  timeoutMs: number,
  begin: (isRepeated: boolean) => void,
  work: (tx: Database) => T | Promise<T>,
): Promise<T> {
  let started = false
  const attempt = (isRepeated: boolean) =>
    exclusively(
      database,
      () => begin(isRepeated),
      () => {
        started = true
        return refusePromise(work(database))
      },
    )
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
