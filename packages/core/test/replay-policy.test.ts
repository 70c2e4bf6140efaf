import { memoryStore } from '@retryproof/memory'
import { expect, test, vi } from 'vitest'
import { createIdempotency, unscoped } from '../src/index.ts'

const call = { operation: 'order', scope: unscoped, key: 'k' } as const
const open = () => createIdempotency({ store: memoryStore(), namespace: 'n' })

test('strict: the recorded value is replayed', async () => {
  const idempotency = open()
  await idempotency.run(call, () => ({ id: 1 }))
  expect((await idempotency.run(call, () => ({ id: 2 }))).value).toEqual({ id: 1 })
})

test('semantic: only that it is done is kept', async () => {
  const idempotency = open().operation('order', { replay: 'semantic' })
  const handler = vi.fn(() => ({ secret: 'once' }))
  expect((await idempotency.run(call, handler)).value).toEqual({ secret: 'once' })
  expect(await idempotency.run(call, handler)).toMatchObject({ value: undefined, replayed: true, recorded: true })
  expect(handler).toHaveBeenCalledOnce()
})

test('reference: a replay is rebuilt as things are now, by reading', async () => {
  const orders = new Map([['o1', { id: 'o1', status: 'new' }]])
  const rebuild = vi.fn((id: string) => orders.get(id))
  const replay = { reference: (order: { id: string }) => order.id, rebuild }
  const idempotency = open()
  await idempotency.run(call, () => orders.get('o1'), { replay: replay })
  expect(rebuild).not.toHaveBeenCalled()
  orders.set('o1', { id: 'o1', status: 'shipped' })
  expect((await idempotency.run(call, () => null, { replay: replay })).value).toEqual({ id: 'o1', status: 'shipped' })
  expect(await idempotency.inspect(call)).toMatchObject({ value: 'o1' })
  await expect(idempotency.run(call, () => null)).rejects.toMatchObject({ code: 'IDEMPOTENCY_UNDECODABLE' })
})

test('a rebuild that fails is the caller’s error, and nothing runs again', async () => {
  const handler = vi.fn(() => ({ id: 'o1' }))
  const replay = { reference: () => 'o1', rebuild: () => Promise.reject(new Error('database is down')) }
  const idempotency = open().operation('order', { replay: replay })
  await idempotency.run(call, handler)
  await expect(idempotency.run(call, handler)).rejects.toThrow('database is down')
  expect(handler).toHaveBeenCalledOnce()
})

test('a reference that cannot be kept leaves the operation completed, without a replay', async () => {
  const idempotency = open().operation('order', { replay: { reference: () => 1n, rebuild: () => 1 } })
  expect(await idempotency.run(call, () => 'done')).toMatchObject({ value: 'done', recorded: true })
  await expect(idempotency.run(call, () => 'again')).rejects.toMatchObject({ code: 'IDEMPOTENCY_NOT_REPLAYABLE' })
})

test.each([
  { replay: 'loose' },
  { replay: { reference: () => 1 } },
  { storeRequest: true },
  { onStoreUnavailable: 'x' },
])('%o is refused', (policies) => {
  expect(() => open().operation('x', policies as never)).toThrow(
    expect.objectContaining({ code: 'IDEMPOTENCY_INVALID_OPTION', option: Object.keys(policies)[0] }),
  )
})
