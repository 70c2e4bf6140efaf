/** A store that a write can join in one transaction. */
import { IdempotencyInvalidOptionError } from '../errors.ts'
import type { IdempotencyStore } from './store.ts'

/** A store that can join a transaction of its database. */
export type TransactionalStore<Tx> = IdempotencyStore<Tx> & Required<Pick<IdempotencyStore<Tx>, 'bind' | 'transaction'>>

/** @throws {@link IdempotencyInvalidOptionError} when the store has no transactions that a write could join */
export function requireTransactional<Tx>(store: IdempotencyStore<Tx>): TransactionalStore<Tx> {
  if (store.bind && store.transaction && store.capabilities.transactional) return store as TransactionalStore<Tx>
  throw new IdempotencyInvalidOptionError(
    'store',
    'has no transactions that a write of yours could join: use one in a database',
  )
}
