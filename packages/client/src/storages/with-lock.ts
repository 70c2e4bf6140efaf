/** One tab at a time. */
import { createStore, update } from 'idb-keyval'

const store = /* @__PURE__ */ createStore('retryproof-turns', 'turns')

/**
 * Runs `work` while no other tab of this origin runs any under the same name: by a Web Lock, else in a transaction of
 * IndexedDB, which is as exclusive, since `work` does not wait. Without either there are no tabs.
 */
export async function withLock<T>(name: string, work: () => T): Promise<T> {
  const { navigator, indexedDB } = globalThis
  if (navigator?.locks) return navigator.locks.request(name, async () => work())
  return indexedDB ? inTransaction(store, '', () => work()) : work()
}

/** Runs `work`, with its last result for this name in any tab, in one transaction. Resolves once the result is kept. */
export async function inTransaction<T>(
  database: ReturnType<typeof createStore>,
  name: string,
  work: (last: T | undefined) => T,
): Promise<T> {
  const kept: T[] = []
  await update<T>(
    name,
    (last) => {
      kept[0] = work(last)
      return kept[0]
    },
    database,
  )
  return kept[0] as T
}
