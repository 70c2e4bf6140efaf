/** The first call of the store when it goes wrong: repeated with the same owner, bounded, and never left to hold a key for nothing. */
import { memoryStore } from '@retryproof/memory'
import { describe, expect, test, vi } from 'vitest'
import { isIdempotencyError, StoreMisconfiguredError, StoreUnavailableError } from '../src/errors.ts'
import { type Fate, gate, type SeenCall } from './interposed-store.ts'
import { charge, hold, onVirtualTime, testbed, twoProcesses } from './testbed.ts'

const { advance } = onVirtualTime()

const ownersOf = (calls: readonly SeenCall[]) =>
  calls.filter((call) => call.name === 'begin').map((call) => call.claim?.owner)

/** The outcome of a call, while time passes. */
async function inTime<T>(outcome: Promise<T>): Promise<T> {
  outcome.catch(() => undefined)
  await vi.runAllTimersAsync()
  return outcome
}

test.each(['reply lost', 'driver error', 'thrown at once', 'refused'] as const)(
  'C-02 %s: the same begin is sent again, and the handler runs once',
  async (fate) => {
    const { idempotency, store, events } = testbed()
    store.next('begin', fate, fate)
    const handler = vi.fn(async () => 'paid')

    expect(await inTime(idempotency.run(charge, handler))).toMatchObject({ value: 'paid', recorded: true, attempt: 1 })

    expect(handler).toHaveBeenCalledOnce()
    expect(store.names).toEqual(['begin', 'begin', 'begin', 'completed'])
    expect(new Set(ownersOf(store.calls)).size).toBe(1)
    expect(events('storeUnavailable')).toMatchObject([{ call: 'begin' }, { call: 'begin' }])
  },
)

test('a store that throws at once leaves no timer', async () => {
  const { idempotency, store } = testbed()
  store.next('get', 'thrown at once')
  await expect(idempotency.inspect(charge)).rejects.toMatchObject({
    code: 'IDEMPOTENCY_STORE_UNAVAILABLE',
    applied: 'unknown',
  })
  expect(vi.getTimerCount()).toBe(0)
})

test.each<[string, () => unknown]>([
  ['an object without a prototype', () => Object.create(null)],
  ['an object whose text is none', () => ({ toString: () => ({}) })],
  [
    'a revoked proxy',
    () => {
      const { proxy, revoke } = Proxy.revocable({}, {})
      revoke()
      return proxy
    },
  ],
])('a store that rejects with %s fails its caller with a typed error', async (_, make) => {
  const records = { ...memoryStore({ now: () => Date.now() }), begin: () => Promise.reject(make()) }
  const { idempotency } = testbed({ records })
  const error: unknown = await inTime(idempotency.run(charge, vi.fn())).catch((thrown: unknown) => thrown)
  expect(isIdempotencyError(error, 'IDEMPOTENCY_STORE_UNAVAILABLE')).toBe(true)
  expect((error as Error).message).toMatch(/^The store failed in begin: /)
})

test('two calls are two owners', async () => {
  const { idempotency, store } = testbed()
  await idempotency.run(charge, () => 'paid')
  await idempotency.run(charge, () => 'paid')
  expect(new Set(ownersOf(store.calls)).size).toBe(2)
})

test('the repeats are bounded, in number and in time', async () => {
  const { idempotency, store } = testbed({ storeTimeout: '5s' })
  store.fate = () => 'refused'
  const handler = vi.fn()
  const begun = Date.now()
  await expect(inTime(idempotency.run(charge, handler))).rejects.toThrow(StoreUnavailableError)
  expect(store.names).toEqual(['begin', 'begin', 'begin', 'begin'])
  expect(Date.now() - begun).toBeLessThan(5000)
  expect(handler).not.toHaveBeenCalled()
})

test('a store that never answers is given up after `storeTimeout`', async () => {
  const { idempotency, store } = testbed({ storeTimeout: '2s' })
  store.fate = () => 'never done'
  const outcome = idempotency.run(charge, vi.fn())
  const rejected = expect(outcome).rejects.toMatchObject({
    code: 'IDEMPOTENCY_STORE_UNAVAILABLE',
    applied: 'unknown',
    message: 'The store did not answer within 2000 ms.',
  })
  await advance(1999)
  expect(store.names).toEqual(['begin'])
  expect(vi.getTimerCount()).toBe(1)
  await advance(2)
  await rejected
  // a record that it may have acquired is looked for as long as it could be held
  await advance(60_000)
  expect(vi.getTimerCount()).toBe(0)
  expect(store.names.length).toBeLessThan(8)
})

test('what a store answers that is not about availability is not repeated', async () => {
  const { idempotency, store } = testbed()
  const begin = vi.spyOn(store, 'begin').mockRejectedValue(new StoreMisconfiguredError('There is no table.'))
  await expect(idempotency.run(charge, vi.fn())).rejects.toThrow(StoreMisconfiguredError)
  expect(begin).toHaveBeenCalledOnce()
})

test('what a driver throws is the cause', async () => {
  const { idempotency, store } = testbed()
  store.fate = () => 'driver error'
  await expect(inTime(idempotency.run(charge, vi.fn()))).rejects.toMatchObject({
    code: 'IDEMPOTENCY_STORE_UNAVAILABLE',
    applied: 'unknown',
    cause: { message: 'connection terminated unexpectedly' },
  })
})

describe('a begin that was given up, and acquires all the same', () => {
  test('is released in the background, so that the next call runs at once', async () => {
    const [slow, other] = twoProcesses({ lease: '60s', storeTimeout: '1s' })
    const late = gate()
    slow.store.next('begin', { before: late.opened })
    const handler = vi.fn()
    const outcome = slow.idempotency.run(charge, handler)
    outcome.catch(() => undefined)
    await advance(1001)
    await expect(outcome).rejects.toThrow(StoreUnavailableError)

    late.open()
    await advance(0)

    expect(handler).not.toHaveBeenCalled()
    expect(slow.store.names).toEqual(['begin', 'released'])
    const next = await other.idempotency.run(charge, ({ interrupted }) => interrupted)
    expect(next).toMatchObject({ value: false, attempt: 2 })
  })

  test('is released even when the first release fails', async () => {
    const [slow, other] = twoProcesses({ lease: '60s', storeTimeout: '1s' })
    const late = gate()
    slow.store.next('begin', { before: late.opened })
    slow.store.next('released', 'refused', 'refused')
    const outcome = slow.idempotency.run(charge, vi.fn())
    outcome.catch(() => undefined)
    await advance(1001)
    late.open()
    await advance(1000)
    expect(slow.store.names).toEqual(['begin', 'released', 'released', 'released'])
    expect(await other.idempotency.run(charge, () => 'paid')).toMatchObject({ value: 'paid' })
  })

  test.each<[string, Fate[]]>([
    ['whose replies are lost', ['reply lost', 'reply lost', 'reply lost', 'reply lost']],
    ['that is never answered', ['never answered']],
  ])('%s: is found by its owner, and released', async (_, fates) => {
    const [slow, other] = twoProcesses({ lease: '60s', storeTimeout: '1s', onTakeover: 'park' })
    slow.store.next('begin', ...fates)
    const handler = vi.fn()
    const outcome = slow.idempotency.run(charge, handler)
    const rejected = expect(outcome).rejects.toThrow(StoreUnavailableError)
    await advance(5000)
    await rejected
    expect(handler).not.toHaveBeenCalled()
    expect(slow.store.names.at(-1)).toBe('released')
    expect(new Set(ownersOf(slow.store.calls)).size).toBe(1)
    const next = await other.idempotency.run(charge, ({ interrupted }) => interrupted)
    expect(next).toMatchObject({ value: false, attempt: 2 })
  })

  test('is not looked for where the store said that nothing was done', async () => {
    const { idempotency, store } = testbed()
    store.fate = () => 'refused'
    await expect(inTime(idempotency.run(charge, vi.fn()))).rejects.toThrow(StoreUnavailableError)
    await advance(120_000)
    expect(store.names).toEqual(['begin', 'begin', 'begin', 'begin'])
  })

  test('leaves what it found unknown: a silent attempt before it stays interrupted', async () => {
    const [first, slow] = twoProcesses({ lease: '1s', storeTimeout: '1s' })
    await hold(first)
    first.store.fate = () => 'never done'
    await advance(1000)

    const late = gate()
    slow.store.next('begin', { before: late.opened })
    const outcome = slow.idempotency.run(charge, vi.fn())
    outcome.catch(() => undefined)
    await advance(1001)
    late.open()
    await advance(0)
    expect(slow.store.names).toEqual(['begin', 'released'])

    const next = await slow.idempotency.run(charge, ({ number, interrupted }) => ({ number, interrupted }))
    expect(next.value).toEqual({ number: 3, interrupted: true })
  })

  test('is left alone when it came late to another attempt', async () => {
    const [slow, other] = twoProcesses({ storeTimeout: '1s' })
    const late = gate()
    slow.store.next('begin', { before: late.opened })
    const outcome = slow.idempotency.run(charge, vi.fn())
    outcome.catch(() => undefined)
    await advance(1001)
    const held = await hold(other)
    late.open()
    await advance(0)
    expect(slow.store.names).toEqual(['begin'])
    held.finish('paid')
    expect(await held.outcome).toMatchObject({ value: 'paid', recorded: true })
  })
})

describe('an acquired key with less than half its lease left', () => {
  test('is renewed before the handler runs, with its whole retention', async () => {
    const { idempotency, store, told } = testbed({ lease: '4s', retention: '1h', storeTimeout: '10s' })
    store.next('begin', { after: new Promise((resolve) => setTimeout(resolve, 2100)) })
    const outcome = idempotency.run(charge, () => Date.now())
    await advance(2100)
    expect((await outcome).recorded).toBe(true)
    expect(store.names).toEqual(['begin', 'renew', 'completed'])
    expect(store.calls[1]?.change).toEqual({ to: 'renew', leaseMs: 4000, retentionMs: 3_600_000 })
    expect(told).toEqual(['started', 'completed'])
  })

  test('with half of it left it is not', async () => {
    const { idempotency, store } = testbed({ lease: '4s' })
    store.next('begin', { after: new Promise((resolve) => setTimeout(resolve, 2000)) })
    const outcome = idempotency.run(charge, () => 'paid')
    await advance(2000)
    await outcome
    expect(store.names).toEqual(['begin', 'completed'])
  })

  test('is renewed again where that took too long too', async () => {
    const [slow, other] = twoProcesses({ lease: '1s', storeTimeout: '10s' })
    slow.store.next('begin', { after: new Promise((resolve) => setTimeout(resolve, 900)) })
    slow.store.next('renew', { after: new Promise((resolve) => setTimeout(resolve, 2000)) })
    const handler = vi.fn()
    const outcome = slow.idempotency.run(charge, handler)
    await advance(1950)
    // the renewed lease is over before its answer is there
    expect(await other.idempotency.run(charge, () => 'theirs')).toMatchObject({ attempt: 2 })
    await advance(50)
    expect(await outcome).toMatchObject({ value: 'theirs', replayed: true })
    expect(handler).not.toHaveBeenCalled()
    expect(slow.store.names).toEqual(['begin', 'renew', 'renew', 'begin'])
  })

  test('is not run under a store that is always too slow for it, which is told what to change', async () => {
    const { idempotency, store } = testbed({ lease: '1s', storeTimeout: '10s' })
    store.fate = ({ name }) =>
      name === 'released' ? 'done' : { after: new Promise((resolve) => setTimeout(resolve, 600)) }
    const handler = vi.fn()
    await expect(inTime(idempotency.run(charge, handler))).rejects.toMatchObject({
      code: 'IDEMPOTENCY_STORE_UNAVAILABLE',
      message: 'The store takes longer than half of the lease (1000 ms) to answer. Use a longer lease.',
    })
    expect(handler).not.toHaveBeenCalled()
    expect(store.names).toEqual(['begin', 'renew', 'renew', 'renew', 'released'])
  })

  test('that is lost meanwhile is not run: the call begins again, and finds the winner', async () => {
    const [slow, other] = twoProcesses({ lease: '1s', storeTimeout: '10s' })
    slow.store.next('begin', { after: new Promise((resolve) => setTimeout(resolve, 1500)) })
    const handler = vi.fn()
    const outcome = slow.idempotency.run(charge, handler)
    await advance(1200)
    expect(await other.idempotency.run(charge, () => 'theirs')).toMatchObject({ attempt: 2 })
    await advance(300)

    expect(await outcome).toMatchObject({ value: 'theirs', replayed: true, attempt: 2 })
    expect(handler).not.toHaveBeenCalled()
    expect(slow.store.names).toEqual(['begin', 'renew', 'begin'])
    expect(slow.told).toEqual(['leaseLost', 'replayed'])
  })

  test('that cannot be renewed is not run, and is handed back in the background', async () => {
    const [slow, other] = twoProcesses({ lease: '4s', storeTimeout: '10s' })
    slow.store.next('begin', { after: new Promise((resolve) => setTimeout(resolve, 2100)) })
    slow.store.next('renew', 'reply lost')
    const handler = vi.fn()
    const outcome = slow.idempotency.run(charge, handler)
    outcome.catch(() => undefined)
    await advance(2100)
    await expect(outcome).rejects.toThrow(StoreUnavailableError)
    expect(handler).not.toHaveBeenCalled()
    expect(await other.idempotency.run(charge, () => 'paid')).toMatchObject({ value: 'paid', attempt: 2 })
  })

  test('and lost again and again, the call gives up', async () => {
    const { idempotency, store } = testbed({ lease: '1s', storeTimeout: '10s', namespace: 'slow' })
    store.fate = (call) =>
      call.name === 'begin' ? { after: new Promise((resolve) => setTimeout(resolve, 600)) } : 'done'
    const transition = store.transition
    vi.spyOn(store, 'transition').mockImplementation(async (key, token, change) => {
      await transition(key, token, { to: 'released', delayMs: 0, retentionMs: 1000 })
      return transition(key, token, change)
    })
    const handler = vi.fn()
    await expect(inTime(idempotency.run(charge, handler))).rejects.toMatchObject({ code: 'IDEMPOTENCY_LEASE_LOST' })
    expect(handler).not.toHaveBeenCalled()
    expect(store.names.filter((name) => name === 'begin')).toHaveLength(5)
  })
})
