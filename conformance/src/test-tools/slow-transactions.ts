/** Transactions that outlast their lease, on a pool that is smaller than they are many. */
import { createIdempotency, type IdempotencyStore, unscoped } from '@retryproof/core'

/**
 * Sends each of `keys` keys twice at once. A duplicate waits, and takes over where the lease expires.
 *
 * @param work takes longer than the lease, which is 1.5 s
 */
export async function runSlowTransactions<Tx>(
  store: IdempotencyStore<Tx>,
  keys: number,
  work: (tx: Tx) => Promise<unknown>,
): Promise<{ readonly runs: number; readonly answers: readonly string[] }> {
  const waiting = { lease: '1500ms', storeTimeout: '30s', onInProgress: { wait: '50s' } } as const
  const idempotency = createIdempotency({ store, namespace: 'slow', ...waiting })
  let runs = 0
  const call = (key: string) =>
    idempotency.transaction({ operation: 'slow', scope: unscoped, key }, async (tx) => {
      runs++
      await work(tx)
      return key
    })
  const outcomes = await Promise.all(Array.from({ length: 2 * keys }, (_, i) => call(`${i >> 1}`)))
  return { runs, answers: outcomes.map(({ value }) => value) }
}
