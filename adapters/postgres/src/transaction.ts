/** A transaction whose end is known, or said to be unknown. */
import { turnsOf, withoutRelease } from '@retryproof/core/internal'
import { isIdempotencyError, StoreUnavailableError, TransactionConflictError } from '@retryproof/core/store'
import {
  answered,
  isEmbedded,
  type Lent,
  onClient,
  type PostgresEmbedded,
  type PostgresPool,
  type PostgresQueryable,
} from './driver.ts'
import { isOfTheCaller, isSessionLost, raceIn, toStoreError } from './errors.ts'

type Work<Tx, T> = (tx: Tx) => T | Promise<T>
type Explained = (error: unknown) => never

/** In milliseconds: for a connection and the answer to a statement of the transaction itself, and for locks of others. */
export interface Patience {
  readonly timeoutMs: number
  readonly lockTimeoutMs: number
}

const READ_COMMITTED = 'ISOLATION LEVEL READ COMMITTED'

/**
 * Commits when `work` resolves, and rolls back when it throws. Its statements see what others commit meanwhile, whatever
 * the default of the pool is, and wait for others at most `lockTimeoutMs`.
 *
 * @throws {@link TransactionConflictError} when another transaction came between
 * @throws {@link StoreUnavailableError} with `applied: 'unknown'` when the answer to COMMIT was lost; with `'no'` when no
 * connection came, or the session was lost before
 * @throws what `work` throws
 */
export async function inTransaction<Tx extends PostgresQueryable, T>(
  database: PostgresPool<Tx> | PostgresEmbedded<Tx>,
  table: string,
  patience: Patience,
  work: Work<Tx, T>,
): Promise<T> {
  const explained: Explained = (error) => {
    throw isOfTheCaller(error) ? error : toStoreError(error, table)
  }
  try {
    if (isEmbedded(database)) return await inEmbedded(database, work, explained)
    return await turnsOf(database, database.options?.max)(() => inPool(database, patience, work, explained))
  } catch (error) {
    const reason = raceIn(error)
    if (!reason) throw error
    const message = `The transaction was rolled back, because of another: ${error}`
    throw new TransactionConflictError(message, { reason, cause: error })
  }
}

/** Nobody else can hold a lock: there is one connection. */
function inEmbedded<Tx extends PostgresQueryable, T>(
  database: PostgresEmbedded<Tx>,
  work: Work<Tx, T>,
  explained: Explained,
): Promise<T> {
  return database.transaction(async (tx) => {
    await tx.query(`SET TRANSACTION ${READ_COMMITTED}`).catch(explained)
    const value = await work(tx)
    // refused after a statement that failed
    await tx.query('SELECT').catch(explained)
    return value
  })
}

function inPool<Tx extends PostgresQueryable, T>(
  pool: PostgresPool<Tx>,
  { timeoutMs, lockTimeoutMs }: Patience,
  work: Work<Tx, T>,
  explained: Explained,
): Promise<T> {
  const onLent = async (lent: Lent<Tx>) => {
    const { client, keep } = lent
    const send = (text: string) => answered(timeoutMs, client.query(text))
    await send(`BEGIN ${READ_COMMITTED}; SET LOCAL lock_timeout = ${lockTimeoutMs}`).catch(explained)
    let value: T
    try {
      value = await work(client)
    } catch (error) {
      if (isSessionLost(error, lent.broken)) {
        const message = `The session was lost before the transaction could commit: ${error}`
        throw new StoreUnavailableError(message, { applied: 'no', cause: error })
      }
      // if this fails, the connection is broken, and the server rolls back by itself
      if (!hangs(error)) await send('ROLLBACK').then(keep, () => {})
      throw error
    }
    const { command } = await send('COMMIT').catch(explained)
    keep()
    // after a statement that failed, COMMIT rolls back and does not call it an error
    if (command === 'COMMIT') return value
    throw new StoreUnavailableError('The transaction was rolled back: a statement in it had failed.', { applied: 'no' })
  }
  return onClient(pool, timeoutMs, (lent) => withoutRelease(lent.client, () => onLent(lent)))
}

const hangs = (error: unknown): boolean =>
  isIdempotencyError(error, 'IDEMPOTENCY_STORE_UNAVAILABLE') && error.applied === 'unknown'
