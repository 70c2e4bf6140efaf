import { memoryStore } from '@retryproof/memory'
import { expect, test, vi } from 'vitest'
import { createIdempotency, type Idempotency, release, StoreUnavailableError, unscoped } from '../src/index.ts'

const call = { operation: 'search', scope: unscoped, key: 'k' } as const

/** A store that can be switched off. */
function setUp() {
  const memory = memoryStore()
  let down = true
  const begin: typeof memory.begin = (key, claim) =>
    down ? Promise.reject(new StoreUnavailableError('off', { applied: 'no' })) : memory.begin(key, claim)
  const { transition, get, capabilities } = memory
  const idempotency: Idempotency = createIdempotency({
    store: { begin, transition, get, capabilities },
    namespace: 'n',
    storeTimeout: 200,
    onStoreUnavailable: 'proceed',
  })
  return {
    idempotency,
    repair: () => {
      down = false
    },
  }
}

test('proceed: the call runs without protection, and is counted', async () => {
  const { idempotency } = setUp()
  const unrecorded = vi.fn()
  idempotency.on('unrecorded', unrecorded)
  const outcome = await idempotency.run(call, ({ token, number, keyFor }) => ({ token, number, key: keyFor('a') }))
  expect(outcome).toMatchObject({ value: { token: 0, number: 1 }, replayed: false, recorded: false })
  await vi.waitFor(() => expect(unrecorded).toHaveBeenCalledOnce())
})

test('its result is recorded afterwards, once the store is back', async () => {
  const { idempotency, repair } = setUp()
  const first = await idempotency.run(call, () => {
    repair()
    return 'first'
  })
  expect(first.recorded).toBe(false)
  await idempotency.drain()
  expect(await idempotency.inspect(call)).toMatchObject({ state: 'completed', value: 'first' })
})

test('what the handler throws or hands back is its caller’s alone', async () => {
  const { idempotency } = setUp()
  await expect(idempotency.run(call, () => Promise.reject(new Error('no')))).rejects.toThrow('no')
  expect(await idempotency.run(call, () => release(1))).toMatchObject({ value: 1, recorded: false })
})

test('C-08 reject is the default, and can be said for one operation', async () => {
  const { idempotency } = setUp()
  const handler = vi.fn()
  const strict = idempotency.operation('charge', { onStoreUnavailable: 'reject' })
  await expect(strict.run(call, handler)).rejects.toBeInstanceOf(StoreUnavailableError)
  expect(handler).not.toHaveBeenCalled()
})

test('a handler’s own store trouble is its failure, and does not run it again', async () => {
  const { idempotency, repair } = setUp()
  repair()
  const handler = vi.fn(() => Promise.reject(new StoreUnavailableError('another store', { applied: 'unknown' })))
  await expect(idempotency.run(call, handler)).rejects.toThrow('another store')
  expect(handler).toHaveBeenCalledOnce()
})
