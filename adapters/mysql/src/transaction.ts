/** A transaction on a connection of the pool, whose end is known, or said to be unknown. */
import { isIdempotencyError } from '@retryproof/core/store'
import { sendInTransaction } from './driver.ts'
import { toTransactionError } from './errors.ts'
import type { MysqlPoolConnection } from './pool.ts'
import { type Sql, sql } from './sql.ts'

/** In milliseconds: for the answer to a statement of the transaction itself, and for the locks that others hold. */
export interface Patience {
  readonly timeoutMs: number
  readonly lockTimeoutMs: number
}

/**
 * Commits when `work` resolves, and rolls back when it throws. Its statements see what others commit meanwhile, whatever
 * the default of the pool is, and wait for others at most `lockTimeoutMs`. Then the session is as it was.
 *
 * @throws {@link TransactionConflictError} when another transaction came between
 * @throws {@link StoreUnavailableError} with `applied: 'unknown'` when the answer to COMMIT was lost; with `'no'` when the
 * session was lost before
 * @throws what `work` throws
 */
export async function inTransaction<T>(
  connection: MysqlPoolConnection,
  { timeoutMs, lockTimeoutMs }: Patience,
  work: () => T | Promise<T>,
): Promise<T> {
  await send(SAVE_PATIENCE(Math.ceil(lockTimeoutMs / 1000)), 'no')
  await send(sql`SET TRANSACTION ISOLATION LEVEL READ COMMITTED`, 'no')
  await send(sql`START TRANSACTION`, 'no')
  let value: T
  try {
    value = await work()
  } catch (error) {
    const known = toTransactionError(error)
    // nobody should get a session again that reads only, or has ended
    if (isIdempotencyError(known, 'IDEMPOTENCY_STORE_UNAVAILABLE')) connection.destroy()
    else
      await send(sql`ROLLBACK`, 'no')
        .then(restore)
        .catch(() => {})
    throw known
  }
  await send(sql`COMMIT`, 'unknown')
  await restore()
  return value

  /** A connection that does not answer is closed, so that the server rolls back. */
  async function send(statement: Sql, applied: 'no' | 'unknown'): Promise<void> {
    try {
      await sendInTransaction(connection, statement, applied, timeoutMs)
    } catch (error) {
      connection.destroy()
      throw error
    }
  }

  /** Puts the session back. The commit stands: if this fails, nobody gets the connection again. */
  function restore(): Promise<void> {
    return send(RESTORE_PATIENCE, 'no').catch(() => {})
  }
}

const SAVE_PATIENCE = (seconds: number): Sql =>
  sql`SET @retryproof_lock_wait = @@innodb_lock_wait_timeout, SESSION innodb_lock_wait_timeout = ${seconds}`
const RESTORE_PATIENCE = sql`SET SESSION innodb_lock_wait_timeout = @retryproof_lock_wait`
