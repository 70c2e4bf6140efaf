/** A store whose transactions another library opens: an ORM or a query builder. */
import { StoreUnavailableError, TransactionConflictError } from '../../errors.ts'
import type { IdempotencyStore, RecordStore } from '../store.ts'
import { requireTransactional } from '../transactional-store.ts'
import { wrapStore } from './wrap-store.ts'

/** The transactions of an ORM or a query builder. */
export interface OrmTransactions<Tx, OrmTx> {
  /** Opens a transaction, commits it when `work` resolves, and rolls it back when `work` rejects. */
  transaction<T>(work: (tx: OrmTx) => Promise<T>): Promise<T>
  /** Returns what the store sends its statements with, inside of that transaction. */
  client(tx: OrmTx): Tx | Promise<Tx>
}

/**
 * Returns the store with transactions of an ORM. Handlers then get the ORM's own `tx`, and what they write with it commits
 * together with their key.
 *
 * @throws {@link IdempotencyInvalidOptionError} when the store has no transactions
 *
 * @example
 * import { createIdempotency, ormStore } from '@retryproof/core'
 * import { postgresStore } from '@retryproof/postgres'
 * import pg from 'pg'
 * import type { DataSource, EntityManager } from 'typeorm'
 *
 * export const idempotencyOf = (source: DataSource) =>
 *   createIdempotency({
 *     namespace: 'shop',
 *     store: ormStore(postgresStore({ pool: new pg.Pool() }), {
 *       transaction: (work) => source.transaction(work),
 *       client: async (manager: EntityManager) => await manager.queryRunner?.connect(),
 *     }),
 *   })
 */
export function ormStore<Tx, OrmTx>(
  store: IdempotencyStore<Tx>,
  { transaction, client }: OrmTransactions<Tx, OrmTx>,
): IdempotencyStore<OrmTx> {
  const { bind } = requireTransactional(store)
  return {
    ...wrapStore<RecordStore>(store, {}),
    bind(tx) {
      const bound = (async () => bind.call(store, await client(tx)))()
      // each operation reports it
      bound.catch(() => {})
      return {
        begin: async (key, claim) => (await bound).begin(key, claim),
        transition: async (key, token, change) => (await bound).transition(key, token, change),
        get: async (key) => (await bound).get(key),
      }
    },
    transaction: (work) => inOrmTransaction(transaction, work),
  }
}

/**
 * Decides what an error of the ORM means: of the work, before COMMIT, or of COMMIT itself.
 *
 * @throws {@link TransactionConflictError} when another transaction came between
 * @throws {@link StoreUnavailableError} with `applied: 'unknown'` when the answer to COMMIT was lost; with `'no'` when no
 * transaction opened
 */
async function inOrmTransaction<OrmTx, T>(
  transaction: OrmTransactions<unknown, OrmTx>['transaction'],
  work: (tx: OrmTx) => T | Promise<T>,
): Promise<T> {
  const progress: { stage: 'opening' | 'working' | 'committing'; error?: unknown } = { stage: 'opening' }
  try {
    return await transaction(async (tx) => {
      progress.stage = 'working'
      try {
        const value = await work(tx)
        progress.stage = 'committing'
        return value
      } catch (error) {
        progress.error = error
        throw error
      }
    })
  } catch (cause) {
    // an ORM may wrap what the work threw
    const error = progress.stage === 'working' && 'error' in progress ? progress.error : cause
    const codes = codesOf(error)
    const reason = codes.map((code) => RACES.get(code)).find(Boolean)
    if (reason)
      throw new TransactionConflictError(`The transaction was rolled back: ${error}`, { reason, cause: error })
    if (progress.stage === 'opening')
      throw new StoreUnavailableError(`No transaction opened: ${error}`, { applied: 'no', cause: error })
    if (progress.stage === 'working' || codes.some((code) => REFUSED.test(code))) throw error
    throw new StoreUnavailableError(`The answer to COMMIT was lost: ${error}`, { applied: 'unknown', cause: error })
  }
}

/** SQLSTATEs of PostgreSQL, error numbers of MySQL, and Prisma's code, for a race that was lost. */
const RACES: ReadonlyMap<string, 'conflict' | 'lock-timeout'> = new Map([
  ['40001', 'conflict'],
  ['40P01', 'conflict'],
  ['1213', 'conflict'],
  ['P2034', 'conflict'],
  ['55P03', 'lock-timeout'],
  ['1205', 'lock-timeout'],
])

/** SQLSTATEs with which a server refuses to commit, such as a deferred constraint. */
const REFUSED = /^(22|23|25|2D|40|44|P0)[0-9A-Z]{3}$/

/** The members under which ORMs keep the error of the driver. */
const INNER = ['cause', 'original', 'parent', 'driverError', 'previous', 'meta'] as const
const MAX_DEPTH = 8

/** All codes of an error and of those inside of it. */
function codesOf(error: unknown, depth = 0): string[] {
  if (typeof error !== 'object' || error === null || depth > MAX_DEPTH) return []
  const read = (name: string): unknown => Reflect.get(error, name)
  const own = ['code', 'errno', 'sqlState'].map(read).filter((code) => code !== undefined)
  return [...own.map(String), ...INNER.flatMap((name) => codesOf(read(name), depth + 1))]
}
