/** `recover` wants to be told how a call is done: by a handler, or in a transaction. */
import { memoryStore } from '@retryproof/memory'
import { expect, test, vi } from 'vitest'
import { createIdempotency, type RecoverOptions } from '../src/index.ts'

const charge = createIdempotency({ store: memoryStore(), namespace: 'n' }).operation('charge', {
  storeRequest: 'plaintext',
})
const authorize = () => true

test('neither handler nor work is refused', async () => {
  const recovering = charge.recover({ authorize } as unknown as RecoverOptions)
  await expect(recovering).rejects.toMatchObject({ code: 'IDEMPOTENCY_INVALID_OPTION', option: 'handler' })
})

test('work needs a store with transactions', async () => {
  const work = vi.fn()
  await expect(charge.recover({ authorize, work })).rejects.toMatchObject({
    code: 'IDEMPOTENCY_INVALID_OPTION',
    option: 'store',
  })
  expect(work).not.toHaveBeenCalled()
})
