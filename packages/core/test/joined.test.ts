/** A transaction of the caller that is not there. */
import { memoryStore } from '@retryproof/memory'
import { expect, test, vi } from 'vitest'
import { createIdempotency, unscoped } from '../src/index.ts'

test('`tx: undefined` is refused, and nothing runs: whoever means to join a transaction gets none of its own', async () => {
  const { begin, transition, get, capabilities } = memoryStore()
  const inTransaction = { begin, transition, get }
  const store = {
    ...inTransaction,
    capabilities: { ...capabilities, transactional: 'async' as const },
    bind: () => inTransaction,
    transaction: vi.fn(),
  }
  const idempotency = createIdempotency<object>({ store, namespace: 'n' })
  const work = vi.fn()
  const [options, call] = [{ tx: undefined } as object, { operation: 'o', scope: unscoped, key: 'k' } as const]
  await expect(idempotency.transaction(call, work, options)).rejects.toMatchObject({
    code: 'IDEMPOTENCY_INVALID_OPTION',
    option: 'tx',
  })
  await expect(idempotency.operation('o').transaction(call, work, options)).rejects.toMatchObject({ option: 'tx' })
  expect([work, store.transaction].map(({ mock }) => mock.calls.length)).toEqual([0, 0])
})
