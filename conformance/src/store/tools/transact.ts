import assert from 'node:assert/strict'
import type { BoundStore } from '@retryproof/core/store'
import type { AnyStore } from '../harness.ts'

/** The calls of a transaction; each `yield` of a call gives its reply. */
type Work<T> = (bound: BoundStore) => Generator<unknown, T, unknown>

/** Runs work in a transaction of the store, whether the store answers at once or later. */
export function transact<T>(store: AnyStore, work: Work<T>): Promise<T> {
  if (!store.transaction || !store.bind) assert.fail('a transactional store has `transaction` and `bind`')
  const bind = store.bind.bind(store)
  return store.capabilities.transactional === 'sync'
    ? store.transaction((tx) => runSync(work(bind(tx))))
    : store.transaction((tx) => runAsync(work(bind(tx))))
}

function runSync<T>(work: Generator<unknown, T, unknown>): T {
  let step = work.next()
  while (!step.done) step = work.next(step.value)
  return step.value
}

async function runAsync<T>(work: Generator<unknown, T, unknown>): Promise<T> {
  let step = work.next()
  while (!step.done) step = work.next(await step.value)
  return step.value
}
