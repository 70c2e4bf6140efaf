/** Counts the cost of a call, and never times it: calls of the store, timers, promises, signals, passes of JSON, events. */

import { createHook } from 'node:async_hooks'
import { memoryStore } from '@retryproof/memory'
import { afterEach, expect, test, vi } from 'vitest'
import { Emitter } from '../src/engine/mechanisms/emitter.ts'
import { createIdempotency } from '../src/index.ts'

const charge = { operation: 'charge', scope: 'user_42', key: 'k1', payload: { amount: 100 } }

afterEach(() => {
  vi.restoreAllMocks()
  vi.unstubAllGlobals()
})

/** Counts the calls of a store. */
function counted() {
  const store = memoryStore()
  const spies = [vi.spyOn(store, 'begin'), vi.spyOn(store, 'transition'), vi.spyOn(store, 'get')] as const
  const [begin, transition, get] = spies
  const count = () => ({
    begin: begin.mock.calls.length,
    transition: transition.mock.calls.length,
    get: get.mock.calls.length,
  })
  const idempotency = createIdempotency({ store, namespace: 'bench', purge: false })
  return { idempotency, count, reset: () => vi.clearAllMocks() }
}

test('a fresh call takes two calls of the store, a replay, a conflict and a reused key one', async () => {
  const { idempotency, count, reset } = counted()
  await idempotency.run(charge, () => 'paid')
  expect(count()).toEqual({ begin: 1, transition: 1, get: 0 })

  reset()
  await idempotency.run(charge, () => 'paid')
  expect(count()).toEqual({ begin: 1, transition: 0, get: 0 })

  reset()
  await expect(idempotency.run({ ...charge, payload: 'other' }, () => 'paid')).rejects.toThrow()
  expect(count()).toEqual({ begin: 1, transition: 0, get: 0 })

  let finish = (_value: string) => {}
  const held = { ...charge, key: 'k2' }
  const first = idempotency.run(
    held,
    () =>
      new Promise<string>((resolve) => {
        finish = resolve
      }),
  )
  await vi.waitFor(() => expect(count().begin).toBe(2))
  reset()
  await expect(idempotency.run(held, () => 'paid')).rejects.toThrow()
  expect(count()).toEqual({ begin: 1, transition: 0, get: 0 })
  finish('paid')
  await first
})

test('a fresh call takes few timers of the runtime, and 64 callers at once hardly more', async () => {
  const { idempotency } = counted()
  const timers = vi.spyOn(globalThis, 'setTimeout')
  const taken = async (calls: () => Promise<unknown>) => {
    timers.mockClear()
    await calls()
    return timers.mock.calls.length
  }
  // of the lease: a store that answers at once needs none
  expect(await taken(() => idempotency.run(charge, () => 'paid'))).toBe(1)
  expect(await taken(() => idempotency.run(charge, () => 'paid'))).toBe(0)
  const all = Array.from({ length: 64 }, (_, index) => ({ ...charge, key: `many-${index}` }))
  expect(await taken(() => Promise.all(all.map((call) => idempotency.run(call, () => 'paid'))))).toBeLessThanOrEqual(4)
})

test('a fresh call makes few promises, and a replay fewer', async () => {
  const { idempotency } = counted()
  let made = 0
  const hook = createHook({
    init: (_id, type) => {
      if (type === 'PROMISE') made++
    },
  })
  const taken = async (calls: () => Promise<unknown>) => {
    made = 0
    hook.enable()
    await calls()
    hook.disable()
    return made
  }
  await idempotency.run(charge, () => 'paid')
  expect(await taken(() => idempotency.run({ ...charge, key: 'k2' }, () => 'paid'))).toBeLessThanOrEqual(13)
  expect(await taken(() => idempotency.run(charge, () => 'paid'))).toBeLessThanOrEqual(7)
})

test('neither a fresh call nor a replay makes a signal, unless its handler asks for it', async () => {
  const { idempotency } = counted()
  let made = 0
  class Counted extends AbortController {
    constructor() {
      super()
      made++
    }
  }
  vi.stubGlobal('AbortController', Counted)
  await idempotency.run(charge, () => 'paid')
  await idempotency.run(charge, () => 'paid')
  expect(made).toBe(0)
  await idempotency.run({ ...charge, key: 'k2' }, ({ signal }) => signal.aborted)
  expect(made).toBe(1)
})

test('plain JSON is written once by a fresh call and read once by a replay', async () => {
  const { idempotency } = counted()
  const written = vi.spyOn(JSON, 'stringify')
  const read = vi.spyOn(JSON, 'parse')
  await idempotency.run(charge, () => ({ paid: true }))
  expect([written.mock.calls.length, read.mock.calls.length]).toEqual([1, 0])
  await idempotency.run(charge, () => ({ paid: true }))
  expect([written.mock.calls.length, read.mock.calls.length]).toEqual([1, 1])
})

test('an event is made only where somebody listens', () => {
  const emitter = new Emitter()
  const event = { namespace: 'shop', operation: 'charge', key: 'k' }
  const make = vi.fn(() => event)
  emitter.emit('keyReused', make)
  expect(make).not.toHaveBeenCalled()
  const listener = vi.fn()
  emitter.on('keyReused', listener)
  emitter.emit('keyReused', make)
  expect(make).toHaveBeenCalledOnce()
  expect(listener).toHaveBeenCalledWith(event)
})
