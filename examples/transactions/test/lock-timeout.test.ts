/** A key whose transaction stays open in another session: who comes meanwhile is told so within the lock time-out. */
import { createIdempotency, unscoped } from '@retryproof/core'
import { expect, test } from 'vitest'
import { type Backend, targets } from './backends.ts'

const LOCK_TIMEOUT_MS = 500
/** MySQL counts whole seconds, and a busy machine is late; the bounds of the servers and drivers are 50 s and more. */
const BOUND_MS = 10_000
const call = { operation: 'pay', scope: unscoped, key: 'payment 1', payload: 1 } as const

async function meetHeldKey<Tx>(backend: Backend<Tx>): Promise<void> {
  const { store, insert } = backend.open({ lockTimeout: LOCK_TIMEOUT_MS })
  const idempotency = createIdempotency({ store, namespace: 'shop' })
  const pay = (tx: Tx) => insert(tx, call.key, 'paid')?.then(() => 'paid') ?? 'paid'
  const single = () => idempotency.transaction(call, pay, { mode: 'single' })
  const isSync = store.capabilities.transactional === 'sync'

  const holder = await backend.begin('here')
  if (!isSync) await idempotency.transaction(call, pay, { tx: holder.tx })
  const startedAt = performance.now()
  // with one lock for all, nobody knows which key is held
  await expect(single()).rejects.toMatchObject(
    isSync ? { code: 'IDEMPOTENCY_STORE_UNAVAILABLE', applied: 'no' } : { code: 'IDEMPOTENCY_IN_PROGRESS' },
  )
  expect(performance.now() - startedAt).toBeGreaterThan(LOCK_TIMEOUT_MS / 2)
  expect(performance.now() - startedAt).toBeLessThan(BOUND_MS)
  await holder.close()
  expect(await backend.values(call.key)).toEqual([])

  expect(await single()).toMatchObject({ value: 'paid', replayed: false, attempt: 1 })
  expect(await backend.values(call.key)).toEqual(['paid'])
}

for (const { title, missing, use } of targets) {
  test.skipIf(missing)(`a duplicate in mode single meets an open transaction on ${title}`, { timeout: 60_000 }, () =>
    use(meetHeldKey),
  )
}
