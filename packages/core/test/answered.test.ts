import { memoryStore } from '@retryproof/memory'
import { expect, test, vi } from 'vitest'
import { createIdempotency } from '../src/index.ts'
import { answered, answerOf } from '../src/store/answered.ts'

test.each([0, '', false, null, { outcome: 'ok' }])(
  'an answer is read from its promise, and awaited as well: %j',
  async (answer) => {
    const promise = answered(() => answer)
    expect(answerOf(promise)).toBe(answer)
    expect(await promise).toBe(answer)
  },
)

test('what the work throws rejects', async () => {
  const promise = answered(() => {
    throw new Error('broken')
  })
  expect(answerOf(promise)).toBe(promise)
  await expect(promise).rejects.toThrow('broken')
})

test('any other promise shows no answer', () => {
  const promise = Promise.resolve(1)
  expect(answerOf(promise)).toBe(promise)
})

test('a call that is refused at once rejects, and throws nothing', async () => {
  const store = memoryStore({ maxRecords: 1 })
  const idempotency = createIdempotency({ store, namespace: 'shop', purge: false, storeTimeout: 10 })
  const handler = vi.fn(() => 'paid')
  await idempotency.run({ operation: 'charge', scope: 'u', key: 'k1' }, handler)
  const second = idempotency.run({ operation: 'charge', scope: 'u', key: 'k2' }, handler)
  await expect(second).rejects.toMatchObject({ code: 'IDEMPOTENCY_STORE_UNAVAILABLE' })
  expect(handler).toHaveBeenCalledOnce()
})
