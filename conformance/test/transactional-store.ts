import { setImmediate as turn } from 'node:timers/promises'
import { type IdempotencyStore, TransactionConflictError } from '@retryproof/core'
import { assertValueFits, type BoundStore, type Command, type StoredRecord } from '@retryproof/core/store'
import type { OpenOptions } from '../src/store/harness.ts'
import type { Reply } from '../src/store/model/command.ts'
import { contract, referenceStore } from './reference-store.ts'

/** Records that transactions lock: who holds a record has a promise that resolves at its end. */
export interface Database {
  readonly records: Map<string, StoredRecord>
  readonly held: Map<string, Promise<void>>
}

/** A transaction of the reference: what it wrote, and which records it holds. */
export interface Transaction {
  readonly written: Map<string, StoredRecord>
  readonly holding: Map<string, () => void>
}

/** The mistakes that a store may make. Each is as the contract wants it, unless it is given. */
export interface Mistakes {
  /** The state on which a bound call decides, once it holds the record. `before`: what was committed before it waited. */
  see?(committed: StoredRecord | null, before: StoredRecord | null, tx: Transaction, key: string): StoredRecord | null
  /** True where a bound call locks its record. */
  lock?: boolean
  /** Makes what was written visible to all. */
  publish?(records: Map<string, StoredRecord>, written: Map<string, StoredRecord>): Promise<void>
}

export const newDatabase = (): Database => ({ records: new Map(), held: new Map() })

const LOCK_TIMEOUT_MS = 2_000

/** The contract on a database with asynchronous transactions: READ COMMITTED, and a lock on each record that it touches. */
export function transactionalStore(
  { now = () => performance.timeOrigin + performance.now() }: OpenOptions = {},
  { records, held }: Database = newDatabase(),
  { see = (committed) => committed, lock = true, publish = publishAll }: Mistakes = {},
): IdempotencyStore<Transaction> {
  async function hold(key: string, tx: Transaction): Promise<void> {
    const until = performance.now() + LOCK_TIMEOUT_MS
    while (lock && !tx.holding.has(key)) {
      const holder = held.get(key)
      if (!holder) {
        let release = () => {}
        held.set(
          key,
          new Promise((resolve) => {
            release = resolve
          }),
        )
        tx.holding.set(key, release)
      } else {
        const left = until - performance.now()
        let timer: NodeJS.Timeout | undefined
        const late = new Promise<boolean>((resolve) => {
          timer = setTimeout(resolve, left, true)
        })
        const isLate = await Promise.race([holder.then(() => false), late])
        clearTimeout(timer)
        if (isLate) throw new TransactionConflictError('held by another', { reason: 'lock-timeout', cause: undefined })
      }
    }
  }

  function end({ holding }: Transaction): void {
    for (const [key, release] of holding) {
      held.delete(key)
      release()
    }
  }

  function bind(tx: Transaction): BoundStore {
    async function apply(key: string, command: Command): Promise<Reply> {
      if (command.op === 'begin') assertValueFits(alone.capabilities.maxValueBytes, command.claim)
      if (command.op === 'transition') assertValueFits(alone.capabilities.maxValueBytes, command.change)
      const before = records.get(key) ?? null
      await hold(key, tx)
      const seen = tx.written.get(key) ?? see(records.get(key) ?? null, before, tx, key)
      const { record, reply } = contract(seen, structuredClone(command), Math.round(now() * 1000))
      if (record && record !== seen) tx.written.set(key, record)
      await turn()
      return structuredClone(reply)
    }
    return {
      begin: (key, claim) => apply(key, { op: 'begin', claim }) as never,
      transition: (key, token, change) => apply(key, { op: 'transition', token, change }) as never,
      get: (key) => apply(key, { op: 'get' }) as never,
    }
  }

  async function transaction<T>(work: (tx: Transaction) => T | Promise<T>): Promise<T> {
    const tx: Transaction = { written: new Map(), holding: new Map() }
    try {
      const value = await work(tx)
      await publish(records, tx.written)
      return value
    } finally {
      end(tx)
    }
  }

  const { watch: _, ...alone } = referenceStore({ records, now })
  return {
    ...alone,
    capabilities: { ...alone.capabilities, transactional: 'async' },
    begin: (key, claim) => transaction((tx) => bind(tx).begin(key, claim)),
    transition: (key, token, change) => transaction((tx) => bind(tx).transition(key, token, change)),
    bind,
    transaction,
  }
}

export async function publishAll(
  records: Map<string, StoredRecord>,
  written: Map<string, StoredRecord>,
): Promise<void> {
  for (const [key, record] of written) records.set(key, record)
}

/** Makes a store whose first commits of completed keys fail, each with the next of these errors. */
export function failingCommits(...errors: readonly unknown[]): IdempotencyStore<Transaction> {
  const left = [...errors]
  return transactionalStore(undefined, undefined, {
    async publish(records, written) {
      const isCompleted = [...written.values()].some(({ state }) => state === 'completed')
      if (isCompleted && left.length > 0) throw left.shift()
      await publishAll(records, written)
    },
  })
}

/** Makes the error of a transaction that was rolled back since another one wrote the same. */
export function conflictError(): TransactionConflictError {
  return new TransactionConflictError('not serializable', { reason: 'conflict', cause: undefined })
}
