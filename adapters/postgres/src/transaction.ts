/** A transaction whose end is known, or said to be unknown. */
import { StoreUnavailableError } from '@retryproof/core'
import { type Embedded, isEmbedded, type Pool, type PoolClient, type Queryable } from './drivers.ts'
import { explain, isOfTheCaller } from './errors.ts'

const READ_COMMITTED = 'ISOLATION LEVEL READ COMMITTED'

/**
 * Commits when `work` resolves, and rolls back when it throws. Its statements see what others commit meanwhile, whatever
 * the default of the pool is.
 *
 * @throws StoreUnavailableError with `applied: 'unknown'` when the answer to COMMIT was lost; and what `work` throws
 */
export async function inTransaction<Tx extends Queryable, T>(
  database: Pool<Tx> | Embedded<Tx>,
  table: string,
  work: (tx: Tx) => T | Promise<T>,
): Promise<T> {
  const explained = (error: unknown) => {
    throw isOfTheCaller(error) ? error : explain(error, table)
  }
  if (isEmbedded(database)) {
    return database.transaction(async (tx) => {
      await tx.query(`SET TRANSACTION ${READ_COMMITTED}`).catch(explained)
      const value = await work(tx)
      // refused after a statement that failed
      await tx.query('SELECT').catch(explained)
      return value
    })
  }
  const client = (await database.connect().catch(explained)) as Tx & PoolClient
  // a connection that breaks while `work` does something else says so in the next statement
  const ignore = () => {}
  client.on('error', ignore)
  let usable = false
  try {
    await client.query(`BEGIN ${READ_COMMITTED}`).catch(explained)
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

const hangs = (error: unknown): boolean => error instanceof StoreUnavailableError && error.applied === 'unknown'

/** False where the connection is broken, and the server rolls back by itself. */
function rollBack(client: Queryable): Promise<boolean> {
  const [usable, broken] = [() => true, () => false]
  return client.query('ROLLBACK').then(usable, broken)
}
