/** A transaction whose end is known, or said to be unknown. */
import { isIdempotencyError, StoreUnavailableError, TransactionConflictError } from '@retryproof/core/store'
import {
  isEmbedded,
  type PostgresEmbedded,
  type PostgresPool,
  type PostgresPoolClient,
  type PostgresQueryable,
} from './driver.ts'
import { isOfTheCaller, raceIn, toStoreError } from './errors.ts'

type Work<Tx, T> = (tx: Tx) => T | Promise<T>
type Explained = (error: unknown) => never

const READ_COMMITTED = 'ISOLATION LEVEL READ COMMITTED'

/**
 * Commits when `work` resolves, and rolls back when it throws. Its statements see what others commit meanwhile, whatever
 * the default of the pool is, and wait for others at most `lockTimeoutMs`.
 *
 * @throws TransactionConflictError when another transaction came between; StoreUnavailableError with `applied: 'unknown'`
 * when the answer to COMMIT was lost; and what `work` throws
 */
export async function inTransaction<Tx extends PostgresQueryable, T>(
  database: PostgresPool<Tx> | PostgresEmbedded<Tx>,
  table: string,
  lockTimeoutMs: number,
  work: Work<Tx, T>,
): Promise<T> {
  const explained: Explained = (error) => {
    throw isOfTheCaller(error) ? error : toStoreError(error, table)
  }
  try {
    if (isEmbedded(database)) return await inEmbedded(database, work, explained)
    return await onClient(database, lockTimeoutMs, work, explained)
  } catch (error) {
    const reason = raceIn(error)
    if (!reason) throw error
    throw new TransactionConflictError(`Rolled back, because of another transaction: ${error}`, {
      reason,
      cause: error,
    })
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

async function onClient<Tx extends PostgresQueryable, T>(
  pool: PostgresPool<Tx>,
  lockTimeoutMs: number,
  work: Work<Tx, T>,
  explained: Explained,
): Promise<T> {
  const client = (await pool.connect().catch(explained)) as Tx & PostgresPoolClient
  // a connection that breaks while `work` does something else says so in the next statement
  const ignore = () => {}
  client.on('error', ignore)
  let usable = false
  try {
    await client.query(`BEGIN ${READ_COMMITTED}; SET LOCAL lock_timeout = ${lockTimeoutMs}`).catch(explained)
    let value: T
    try {
      value = await work(client)
    } catch (error) {
      usable = !hangs(error) && (await rollBack(client))
      throw error
    }
    const { command } = await client.query('COMMIT').catch(explained)
    usable = true
    // after a statement that failed, COMMIT rolls back and does not call it an error
    if (command === 'COMMIT') return value
    throw new StoreUnavailableError('The transaction was rolled back: a statement in it had failed.', { applied: 'no' })
  } finally {
    client.off('error', ignore)
    client.release(!usable)
  }
}

const hangs = (error: unknown): boolean =>
  isIdempotencyError(error, 'IDEMPOTENCY_STORE_UNAVAILABLE') && error.applied === 'unknown'

/** False where the connection is broken, and the server rolls back by itself. */
function rollBack(client: PostgresQueryable): Promise<boolean> {
  const [usable, broken] = [() => true, () => false]
  return client.query('ROLLBACK').then(usable, broken)
}
