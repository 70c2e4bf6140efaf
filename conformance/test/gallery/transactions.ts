import { setImmediate as turn } from 'node:timers/promises'
import { type IdempotencyStore, TransactionConflictError } from '@retryproof/core'
import type { StoredRecord } from '@retryproof/core/store'
import { type Mistakes, newDatabase, type Transaction, transactionalStore } from '../transactional-store.ts'
import type { BrokenStore } from './broken.ts'

type Store = IdempotencyStore<Transaction>
type Bind = NonNullable<Store['bind']>
type Run = NonNullable<Store['transaction']>

/** The reference with a mistake in its database, or with some of its methods replaced. */
function transactional(
  name: string,
  rejectedBy: string,
  mistakes: Mistakes | (() => Mistakes),
  wrap: (store: Store, bind: Bind, run: Run, records: Map<string, StoredRecord>) => Partial<Store> = () => ({}),
): BrokenStore {
  const harness = () => {
    const database = newDatabase()
    return {
      open(options: { now?: () => number }) {
        const store = transactionalStore(options, database, typeof mistakes === 'function' ? mistakes() : mistakes)
        const { bind, transaction } = store as Required<Store>
        return { ...store, ...wrap(store, bind, transaction, database.records) }
      },
    }
  }
  return { name, rejectedBy, harness: harness as unknown as BrokenStore['harness'] }
}

/** Each transaction goes on to see the record that it saw first. */
function snapshots(): Required<Pick<Mistakes, 'see'>> & { records: WeakMap<Transaction, Map<string, StoredRecord>> } {
  const records = new WeakMap<Transaction, Map<string, StoredRecord>>()
  return {
    records,
    see: (committed, _, tx, key) => (records.has(tx) ? (records.get(tx)?.get(key) ?? null) : committed),
  }
}

/** Keeps in `taken` what was committed when a transaction began. */
const takingSnapshots = (run: Run, records: Map<string, StoredRecord>, taken: ReturnType<typeof snapshots>): Run => {
  return (work) =>
    run((tx) => {
      taken.records.set(tx, new Map(records))
      return work(tx)
    })
}

const stale = snapshots()
const guarded = snapshots()

export const transactions: readonly BrokenStore[] = [
  transactional('a settle in a transaction is made outside of it', 'C22-rollback', {}, (store, bind) => ({
    bind: (tx) => ({ ...bind(tx), transition: store.transition }),
  })),
  transactional('bound calls ignore their transaction', 'C22-rollback', {}, (store) => ({ bind: () => store })),
  transactional('a begin in a transaction is committed at once', 'C22-rollback', {}, (store, bind) => ({
    bind: (tx) => ({ ...bind(tx), begin: store.begin }),
  })),
  transactional('a transaction that throws is committed', 'C22-rollback', {}, (_, __, run) => ({
    async transaction(work) {
      let failure: unknown
      const value = await run(async (tx) => {
        try {
          return await work(tx)
        } catch (error) {
          failure = error
          return undefined
        }
      })
      if (failure) throw failure
      return value as never
    },
  })),
  transactional('what the work threw is swallowed', 'C22-rollback', {}, (_, __, run) => ({
    transaction: (work) => run(work).catch(() => undefined as never),
  })),
  transactional('a repeated settle in a transaction counts as applied', 'C22-applied', {}, (_, bind) => ({
    bind: (tx) => ({
      ...bind(tx),
      async transition(key, token, change) {
        const reply = await bind(tx).transition(key, token, change)
        return reply.outcome === 'ok' ? { outcome: 'ok', applied: true } : reply
      },
    }),
  })),
  transactional(
    'a transaction reads a snapshot, and answers from it',
    'C22-snapshot',
    stale,
    (_, __, run, records) => ({
      transaction: takingSnapshots(run, records, stale),
    }),
  ),
  transactional(
    'a transaction fails of every change beside it, and nobody is told that it does',
    'C22-renewed',
    {
      see(committed, _, tx, key) {
        const before = guarded.records.get(tx)
        if (!before || before.get(key) === committed || (before.get(key) ?? null) === committed) return committed
        throw new TransactionConflictError('changed since', { reason: 'conflict', cause: undefined })
      },
    },
    (_, __, run, records) => ({ transaction: takingSnapshots(run, records, guarded) }),
  ),
  transactional('a call that had to wait decides on what it read before', 'C22-duplicates', {
    see: (_, before) => before,
  }),
  transactional('transactions lock nothing', 'C22-duplicates', { lock: false }),
  transactional('what was written is visible before it is committed', 'C22-commit', {}, (_, bind, run, records) => {
    const undo = new WeakMap<Transaction, Map<string, StoredRecord | undefined>>()
    const show = async <T>(tx: Transaction, key: string, reply: T): Promise<T> => {
      const settled = await reply
      const written = tx.written.get(key)
      if (!undo.get(tx)?.has(key)) undo.get(tx)?.set(key, records.get(key))
      if (written) records.set(key, written)
      return settled
    }
    return {
      bind: (tx) => ({
        begin: (key, claim) => show(tx, key, bind(tx).begin(key, claim)) as never,
        transition: (key, token, change) => show(tx, key, bind(tx).transition(key, token, change)) as never,
        get: (key) => bind(tx).get(key),
      }),
      transaction: (work) =>
        run(async (tx) => {
          const before = new Map<string, StoredRecord | undefined>()
          undo.set(tx, before)
          try {
            return await work(tx)
          } catch (error) {
            for (const [key, record] of before) record ? records.set(key, record) : records.delete(key)
            throw error
          }
        }),
    }
  }),
  transactional('a commit shows one record after the other', 'C22-together', {
    async publish(records, written) {
      for (const [key, record] of written) {
        records.set(key, record)
        await turn()
      }
    },
  }),
  transactional('a commit forgets all records but the first', 'C22-commit', {
    async publish(records, written) {
      for (const [key, record] of [...written].slice(0, 1)) records.set(key, record)
    },
  }),
  transactional(
    'a rollback does not reach the table of the business writes',
    'C22-exactly-once',
    {},
    (_, __, run, records) => ({
      transaction: (work) =>
        run(async (tx) => {
          try {
            return await work(tx)
          } catch (error) {
            for (const [key, record] of tx.written) if (key.includes('.effect.')) records.set(key, record)
            throw error
          }
        }),
    }),
  ),
]
