/** An entry that all tabs see at the same moment. */
import { createStore } from 'idb-keyval'
import { inTransaction, withLock } from './with-lock.ts'

const store = /* @__PURE__ */ createStore('retryproof-agreed', 'intents')

/**
 * Does the same as `withLock`, and hands `work` its last result for this name in any tab (`undefined`: none yet).
 * localStorage alone does not suffice: Chromium keeps a copy of it in each process, and may give the lock to another tab before the copy
 * there is up to date, so that both would mint a key.
 */
export function sharedIntent(name: string, work: (last?: string | null) => string | null): Promise<string | null> {
  return globalThis.indexedDB ? inTransaction(store, name, work) : withLock(name, work)
}
