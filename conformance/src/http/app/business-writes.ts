/** The writes of a handler in a transaction, on any store that has them: a record of another key. */
import type { IdempotencyStore } from '@retryproof/core'

export interface BusinessWrites {
  write(id: string): Promise<void>
  isWritten(id: string): Promise<boolean>
}

const HOUR_MS = 3_600_000
const claim = { owner: 'business', fingerprint: 'business', leaseMs: HOUR_MS, retentionMs: HOUR_MS }
const keyOf = (id: string) => `suite.business.${id}`

export function writesOf(store: IdempotencyStore<unknown>): (tx: unknown) => BusinessWrites {
  return (tx) => ({
    async write(id) {
      await store.bind?.(tx).begin(keyOf(id), claim)
    },
    async isWritten(id) {
      return (await store.get(keyOf(id))) !== null
    },
  })
}
