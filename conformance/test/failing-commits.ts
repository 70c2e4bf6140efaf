import type { IdempotencyStore } from '@retryproof/core'
import { newDatabase, publishAll, type Transaction, transactionalStore } from './transactional-store.ts'

/** Makes a store whose commits of a result fail with one of these errors after the other, and succeed from then on. */
export function failingCommits(...errors: readonly Error[]): IdempotencyStore<Transaction> {
  const left = [...errors]
  return transactionalStore({}, newDatabase(), {
    async publish(records, written) {
      const error = [...written.values()].some(({ state }) => state === 'completed') ? left.shift() : undefined
      if (error) throw error
      await publishAll(records, written)
    },
  })
}
