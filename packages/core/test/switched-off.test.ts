/**
 * Runs scenarios with a policy and without it: the same scenario ends differently, so that none of these tests passes
 * where the feature does nothing.
 */
import { memoryStore } from '@retryproof/memory'
import { describe, expect, test, vi } from 'vitest'
import { createIdempotency, guardStore, type Policies, StoreUnavailableError, unscoped } from '../src/index.ts'
import type { RecordStore } from '../src/store.ts'

const call = { operation: 'charge', scope: unscoped, key: 'k' } as const
const open = (policies: Policies) => createIdempotency({ store: memoryStore(), namespace: 'n', ...policies })

describe('levels: what a replay gives', () => {
  const orders = new Map([['o1', 'new']])
  const reference = {
    reference: (order: unknown) => (order as { id: string }).id,
    rebuild: (id: unknown) => ({ id, status: orders.get(String(id)) }),
  }
  test.each<[string, Policies, unknown]>([
    ['strict: the value as it was', {}, { id: 'o1', status: 'new' }],
    ['result: the value as it is now', { replay: reference }, { id: 'o1', status: 'shipped' }],
    ['semantic: that it is done', { replay: 'semantic' }, undefined],
  ])('%s', async (_, policies, replayed) => {
    orders.set('o1', 'new')
    const idempotency = open(policies)
    await idempotency.run(call, () => ({ id: 'o1', status: 'new' }))
    orders.set('o1', 'shipped')
    expect(await idempotency.run(call, () => 'ran again')).toMatchObject({ replayed: true, value: replayed })
  })
})

describe('poison: what always fails', () => {
  test.each<[string, Policies, number, string]>([
    ['with maxAttempts is given up', { maxAttempts: 3 }, 3, 'IDEMPOTENCY_MAX_ATTEMPTS'],
    ['without is tried for ever', {}, 6, 'broken'],
  ])('%s', async (_, policies, runs, last) => {
    const idempotency = open(policies)
    const handler = vi.fn(() => Promise.reject(Object.assign(new Error('broken'), { code: 'broken' })))
    let code: unknown
    for (let tries = 0; tries < 6; tries++) {
      code = await idempotency.run(call, handler).catch((error: { code: string }) => error.code)
    }
    expect(handler).toHaveBeenCalledTimes(runs)
    expect(code).toBe(last)
  })
})

describe('fail open: a store that is down', () => {
  test.each<[string, Policies, number]>([
    ["with 'proceed' the call runs, unprotected, and is counted", { onStoreUnavailable: 'proceed' }, 1],
    ['without it fails, and nothing runs', {}, 0],
  ])('%s', async (_, policies, runs) => {
    const down = () => Promise.reject(new StoreUnavailableError('down', { applied: 'no' }))
    const store = { ...memoryStore(), begin: down, transition: down, get: down }
    const idempotency = createIdempotency({ store, namespace: 'n', storeTimeout: 100, ...policies })
    const [handler, unrecorded] = [vi.fn(() => 'paid'), vi.fn()]
    idempotency.on('unrecorded', unrecorded)
    const outcome = await idempotency.run(call, handler).catch((error: unknown) => error)
    expect(handler).toHaveBeenCalledTimes(runs)
    if (runs) expect(outcome).toMatchObject({ value: 'paid', recorded: false })
    else expect(outcome).toBeInstanceOf(StoreUnavailableError)
    await vi.waitFor(() => expect(unrecorded).toHaveBeenCalledTimes(runs))
  })
})

describe('circuit breaker: a store that is down', () => {
  test.each<[string, boolean, number]>([
    ['behind an open circuit is not asked', true, 0],
    ['without one is asked each time', false, 1],
  ])('%s', async (_, isOpen, asked) => {
    const begin = vi.fn<RecordStore['begin']>(() =>
      Promise.reject(new StoreUnavailableError('down', { applied: 'unknown' })),
    )
    const store = { ...memoryStore(), begin }
    const refused = new Error('the circuit is open')
    const guarded = guardStore(store, (each) => (isOpen ? Promise.reject(refused) : each()))
    const claim = { owner: 'o', fingerprint: 'f', leaseMs: 1, retentionMs: 1 }
    await expect(guarded.begin('n.o.0', claim)).rejects.toMatchObject(
      isOpen ? { applied: 'no', cause: refused } : { applied: 'unknown' },
    )
    expect(begin).toHaveBeenCalledTimes(asked)
  })
})
