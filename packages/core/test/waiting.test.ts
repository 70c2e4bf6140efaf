/** `onInProgress: { wait }`: waiting for another attempt, bounded, and without harming it. */
import { memoryStore } from '@retryproof/memory'
import { describe, expect, test, vi } from 'vitest'
import { release } from '../src/api/handler-results.ts'
import type { Policies } from '../src/api/policies.ts'
import { IdempotencyInProgressError } from '../src/errors.ts'
import type { IdempotencyStore } from '../src/store/store.ts'
import { gate } from './interposed-store.ts'
import { charge, hold, onVirtualTime, testbed, twoProcesses } from './testbed.ts'

const { advance } = onVirtualTime()

const wait = (time: Policies['lease'] & string): Policies => ({ onInProgress: { wait: time } })

/** A memory store that cannot be watched. */
function unwatchable(): IdempotencyStore {
  const { watch: _, ...records } = memoryStore({ now: () => Date.now() })
  return records
}

describe.each<[string, () => IdempotencyStore]>([
  ['with a store that can be watched', () => memoryStore({ now: () => Date.now() })],
  ['with a store that cannot', unwatchable],
  [
    'with a store whose watch fails',
    () => ({ ...memoryStore({ now: () => Date.now() }), watch: () => Promise.reject(new Error('no pub/sub')) }),
  ],
  [
    'with a store whose watch throws at once',
    () => ({
      ...memoryStore({ now: () => Date.now() }),
      watch: () => {
        throw new Error('no pub/sub')
      },
    }),
  ],
  [
    'with a store whose watch never is armed',
    () => ({ ...memoryStore({ now: () => Date.now() }), watch: () => new Promise(() => {}) }),
  ],
  ['with a store that never notifies', () => ({ ...memoryStore({ now: () => Date.now() }), watch: async () => {} })],
])('%s', (_, records) => {
  test('a waiter is given the result of the holder', async () => {
    const store = records()
    const [holder, other] = [testbed({ records: store }), testbed({ records: store })]
    const held = await hold(holder)
    const handler = vi.fn()
    const waiting = other.idempotency.run(charge, handler, wait('60s'))
    await advance(10_000)
    held.finish('paid')
    await advance(5000)
    expect(await waiting).toMatchObject({ value: 'paid', replayed: true, recorded: true, attempt: 1 })
    expect(handler).not.toHaveBeenCalled()
    expect(other.told.filter((type) => type !== 'storeUnavailable')).toEqual(['replayed'])
  })

  test('one waiter takes a key over as soon as its lease is over, however quiet the store is', async () => {
    const store = records()
    const [holder, other] = [testbed({ records: store, lease: '10s' }), testbed({ records: store, lease: '10s' })]
    await hold(holder)
    holder.store.fate = () => 'never done'
    const begunAt = Date.now()
    const waiting = other.idempotency.run(charge, ({ interrupted }) => ({ interrupted, at: Date.now() }), wait('60s'))
    await advance(11_000)
    const { value } = await waiting
    expect(value.interrupted).toBe(true)
    expect(value.at - begunAt).toBeLessThanOrEqual(10_000 + 5)
  })

  test('it ends after its time, whatever happens, and leaves no timer', async () => {
    const store = records()
    const [holder, other] = [testbed({ records: store }), testbed({ records: store })]
    const held = await hold(holder)
    const waiting = other.idempotency.run(charge, vi.fn(), wait('5s'))
    const rejected = expect(waiting).rejects.toThrow(IdempotencyInProgressError)
    await advance(4999)
    expect(other.told).not.toContain('conflict')
    await advance(1)
    await rejected
    expect(other.told).toContain('conflict')
    held.finish('paid')
    await held.outcome
    await advance(5000)
    expect(vi.getTimerCount()).toBe(0)
  })
})

test('a watch that fails is told', async () => {
  const records = { ...memoryStore({ now: () => Date.now() }), watch: () => new Promise<void>(() => {}) }
  const [holder, other] = [testbed({ records }), testbed({ records, storeTimeout: '2s' })]
  await hold(holder)
  other.idempotency.run(charge, vi.fn(), wait('10s')).catch(() => undefined)
  await advance(2001)
  expect(other.events('storeUnavailable')).toMatchObject([{ call: 'watch', key: other.store.calls[0]?.key }])
  await advance(8000)
})

test('a waiter is woken as soon as the store notifies', async () => {
  const [holder, other] = twoProcesses()
  const held = await hold(holder)
  const waiting = other.idempotency.run(charge, vi.fn(), wait('60s'))
  await advance(10_000)
  const before = Date.now()
  held.finish('paid')
  await held.outcome
  await waiting
  expect(Date.now()).toBe(before)
})

test('a notification that comes while the record is read is not lost', async () => {
  const records = memoryStore({ now: () => Date.now() })
  const [holder, other] = [testbed({ records }), testbed({ records })]
  const held = await hold(holder)
  // the record is read, then settled, and only then is the reader answered: it saw the old state
  const reading = gate()
  other.store.next('get', { after: reading.opened })
  const waiting = other.idempotency.run(charge, vi.fn(), wait('60s'))
  await advance(0)
  held.finish('paid')
  await held.outcome
  reading.open()
  await advance(0)
  expect(await waiting).toMatchObject({ value: 'paid' })
})

describe('what the holder leaves', () => {
  test('a stored failure is thrown to the waiters', async () => {
    const [holder, other] = twoProcesses({ onFailure: 'store' })
    const held = await hold(holder)
    const waiting = other.idempotency.run(charge, vi.fn(), wait('60s'))
    const rejected = expect(waiting).rejects.toMatchObject({
      code: 'IDEMPOTENCY_REPLAYED_FAILURE',
      message: 'declined',
    })
    await advance(0)
    held.fail(new Error('declined'))
    await rejected
  })

  test('a released key is run by one of the waiters, and given to the others', async () => {
    const [holder, other] = twoProcesses()
    const held = await hold(holder)
    const handler = vi.fn(async () => 'paid')
    const waiting = Array.from({ length: 5 }, () => other.idempotency.run(charge, handler, wait('60s')))
    await advance(0)
    held.fail(new Error('provider is down'))
    await advance(5000)
    const outcomes = await Promise.all(waiting)
    expect(handler).toHaveBeenCalledOnce()
    expect(outcomes.map(({ value }) => value)).toEqual(Array(5).fill('paid'))
    expect(outcomes.filter(({ replayed }) => !replayed)).toHaveLength(1)
  })

  test('a release with a delay is waited for too', async () => {
    const [holder, other] = twoProcesses()
    await holder.idempotency.run(charge, () => release('busy', { delay: '10s' }))
    const waiting = other.idempotency.run(charge, () => Date.now(), wait('60s'))
    const before = Date.now()
    await advance(10_100)
    expect((await waiting).value - before).toBeGreaterThanOrEqual(10_000)
  })

  test('a key that was forgotten is new to the waiters', async () => {
    const [holder, other] = twoProcesses()
    await hold(holder)
    const waiting = other.idempotency.run(charge, ({ number }) => number, wait('60s'))
    await advance(0)
    await holder.idempotency.forget(charge)
    await advance(0)
    expect(await waiting).toMatchObject({ value: 1, replayed: false })
  })

  test('a key that was forgotten and taken by another payload is a mismatch', async () => {
    const [holder, other] = twoProcesses()
    await hold(holder)
    const waiting = other.idempotency.run(charge, vi.fn(), wait('60s'))
    const rejected = expect(waiting).rejects.toMatchObject({ code: 'IDEMPOTENCY_KEY_REUSED' })
    await advance(0)
    other.store.next('get', { before: new Promise((resolve) => setTimeout(resolve, 100)) })
    await holder.idempotency.forget(charge)
    await holder.idempotency.run({ ...charge, payload: 999 }, () => 'of another payload')
    await advance(200)
    await rejected
  })

  test('another payload is a mismatch at once, without waiting', async () => {
    const [holder, other] = twoProcesses()
    await hold(holder)
    await expect(other.idempotency.run({ ...charge, payload: 999 }, vi.fn(), wait('60s'))).rejects.toMatchObject({
      code: 'IDEMPOTENCY_KEY_REUSED',
    })
  })
})

describe('all waiters of a key in one process', () => {
  test('share one watcher', async () => {
    const records = memoryStore({ now: () => Date.now() })
    const watch = vi.spyOn(records, 'watch')
    const [holder, other] = [testbed({ records }), testbed({ records })]
    const held = await hold(holder)
    const waiting = Array.from({ length: 100 }, () => other.idempotency.run(charge, vi.fn(), wait('60s')))
    await advance(0)
    expect(watch).toHaveBeenCalledOnce()
    const gets = other.store.names.filter((name) => name === 'get').length
    expect(gets).toBe(1)
    held.finish('paid')
    await advance(0)
    expect(await Promise.all(waiting)).toHaveLength(100)
    expect(other.store.names.filter((name) => name === 'get').length).toBe(2)
    expect(other.store.names.filter((name) => name === 'begin').length).toBe(100)
  })

  test('share what they read, and nothing of it', async () => {
    const [holder, other] = twoProcesses()
    const held = await hold<{ items: number[] }>(holder)
    const waiting = [1, 2].map(() => other.idempotency.run<{ items: number[] }>(charge, vi.fn(), wait('60s')))
    await advance(0)
    held.finish({ items: [1] })
    const [one, two] = await Promise.all(waiting)
    one?.value.items.push(2)
    expect(two?.value).toEqual({ items: [1] })
  })

  test('are not given a record that is older than what they saw themselves', async () => {
    const [holder, other] = twoProcesses()
    const first = await hold(holder)
    // the record is read as completed, and that answer is long on its way
    const answered = gate()
    other.store.next('get', 'done', { after: answered.opened })
    const early = other.idempotency.run(charge, vi.fn(), wait('60s'))
    await advance(0)
    first.finish('old')
    await first.outcome
    await advance(0)
    // meanwhile the key is forgotten and taken again
    await holder.idempotency.forget(charge)
    const second = await hold(holder)
    const late = other.idempotency.run(charge, vi.fn(), wait('60s'))
    await advance(0)
    answered.open()
    await advance(0)
    expect(await early).toMatchObject({ value: 'old' })
    second.finish('new')
    await advance(0)
    expect(await late).toMatchObject({ value: 'new' })
  })

  test('are each given up on their own: the others go on to wait', async () => {
    const [holder, other] = twoProcesses()
    const held = await hold(holder)
    const short = other.idempotency.run(charge, vi.fn(), wait('1s'))
    const rejected = expect(short).rejects.toThrow(IdempotencyInProgressError)
    const long = other.idempotency.run(charge, vi.fn(), wait('60s'))
    await advance(1000)
    await rejected
    held.finish('paid')
    await advance(0)
    expect(await long).toMatchObject({ value: 'paid' })
  })

  test('the last one that gives up ends the watching', async () => {
    const records = memoryStore({ now: () => Date.now() })
    const signals: AbortSignal[] = []
    const watch = records.watch
    vi.spyOn(records, 'watch').mockImplementation((key, onChange, signal) => {
      signals.push(signal)
      return watch(key, onChange, signal)
    })
    const [holder, other] = [testbed({ records }), testbed({ records })]
    await hold(holder)
    const waiting = [1, 2].map((seconds) =>
      expect(other.idempotency.run(charge, vi.fn(), wait(`${seconds}s`))).rejects.toThrow(IdempotencyInProgressError),
    )
    await advance(1500)
    expect(signals.map((signal) => signal.aborted)).toEqual([false])
    await advance(500)
    await Promise.all(waiting)
    expect(signals.map((signal) => signal.aborted)).toEqual([true])
    const reads = other.store.names.length
    await advance(20_000)
    expect(other.store.names).toHaveLength(reads)
  })

  test('keys do not share', async () => {
    const [holder, other] = twoProcesses()
    const held = [await hold(holder), await hold(holder, { ...charge, key: 'k2' })]
    const waiting = ['k1', 'k2'].map((key) => other.idempotency.run({ ...charge, key }, vi.fn(), wait('60s')))
    await advance(0)
    held[1]?.finish('second')
    await advance(0)
    expect(await waiting[1]).toMatchObject({ value: 'second' })
    held[0]?.finish('first')
    await advance(0)
    expect(await waiting[0]).toMatchObject({ value: 'first' })
  })
})

describe('waiters of a key that fails again and again', () => {
  test.each<[string, () => IdempotencyStore]>([
    ['with a store that can be watched', () => memoryStore({ now: () => Date.now() })],
    ['with a store that cannot', unwatchable],
  ])('%s: n of them cost O(n) store calls, and each runs once', async (_, records) => {
    for (const count of [25, 100]) {
      const { idempotency, store } = testbed({ records: records(), onInProgress: { wait: '60s' } })
      const handler = vi.fn(async () => {
        await new Promise((resolve) => setTimeout(resolve, 1))
        throw new Error('provider is down')
      })
      const outcomes = Promise.allSettled(Array.from({ length: count }, () => idempotency.run(charge, handler)))
      await advance(60_000)
      expect(
        (await outcomes).every((each) => each.status === 'rejected' && each.reason.message === 'provider is down'),
      ).toBe(true)
      expect(handler).toHaveBeenCalledTimes(count)
      expect(store.names.length).toBeLessThan(6 * count)
    }
  })

  test('a waiter that is woken and goes away does not stop the others', async () => {
    const [holder, other] = twoProcesses()
    const held = await hold(holder)
    const gone = new AbortController()
    const begin = vi.spyOn(other.store, 'begin')
    const first = other.idempotency.run({ ...charge, signal: gone.signal }, vi.fn(), wait('60s'))
    const second = other.idempotency.run(charge, () => 'second', wait('60s'))
    await advance(0)
    // the first is woken, and its begin never comes to an end
    begin.mockImplementationOnce(() => new Promise(() => {}))
    held.fail(new Error('provider is down'))
    first.catch(() => undefined)
    await advance(1000)
    expect(await second).toMatchObject({ value: 'second', replayed: false })
  })
})

describe('the caller’s signal', () => {
  test('ends the wait at once, and leaves the holder alone', async () => {
    const [holder, other] = twoProcesses()
    const held = await hold(holder)
    const gone = new AbortController()
    const waiting = other.idempotency.run({ ...charge, signal: gone.signal }, vi.fn(), wait('60s'))
    const rejected = expect(waiting).rejects.toThrow(IdempotencyInProgressError)
    await advance(1000)
    gone.abort()
    await rejected
    held.finish('paid')
    expect(await held.outcome).toMatchObject({ value: 'paid', recorded: true })
  })

  test('that aborted before the call does not wait', async () => {
    const [holder, other] = twoProcesses()
    await hold(holder)
    const call = { ...charge, signal: AbortSignal.abort() }
    await expect(other.idempotency.run(call, vi.fn(), wait('60s'))).rejects.toThrow(IdempotencyInProgressError)
    expect(other.store.names.filter((name) => name === 'begin')).toHaveLength(1)
  })

  test('does not cancel a handler, nor its recording', async () => {
    const bed = testbed()
    const gone = new AbortController()
    const held = await hold(bed, { ...charge, signal: gone.signal })
    gone.abort()
    expect(held.attempt.signal.aborted).toBe(false)
    held.finish('paid')
    expect(await held.outcome).toMatchObject({ value: 'paid', recorded: true })
  })

  test('is left without listeners', async () => {
    const [holder, other] = twoProcesses()
    const held = await hold(holder)
    const { signal } = new AbortController()
    const added = vi.spyOn(signal, 'addEventListener')
    const removed = vi.spyOn(signal, 'removeEventListener')
    const waiting = other.idempotency.run({ ...charge, signal }, vi.fn(), wait('60s'))
    await advance(0)
    held.finish('paid')
    await advance(0)
    await waiting
    expect(added).toHaveBeenCalledOnce()
    expect(removed).toHaveBeenCalledWith('abort', added.mock.calls[0]?.[1])
  })
})

test('the wait is bounded as a whole, however often the key is taken and given back meanwhile', async () => {
  const [holder, other] = twoProcesses()
  // whenever the waiter begins, another attempt was there first
  const begin = other.store.begin
  vi.spyOn(other.store, 'begin').mockImplementation(async (key, claim) => {
    const held = await hold(holder)
    const reply = await begin(key, claim)
    setTimeout(() => held.fail(new Error('again')), 500)
    return reply
  })
  const waiting = other.idempotency.run(charge, () => 'mine', wait('5s'))
  const rejected = expect(waiting).rejects.toThrow(IdempotencyInProgressError)
  await advance(5600)
  await rejected
})

test('a store that fails while it is waited for does not end the wait', async () => {
  const [holder, other] = twoProcesses()
  const held = await hold(holder)
  const waiting = other.idempotency.run(charge, vi.fn(), wait('60s'))
  await advance(0)
  other.store.next('get', 'refused', 'driver error', 'thrown at once')
  held.finish('paid')
  await advance(10_000)
  expect(await waiting).toMatchObject({ value: 'paid', replayed: true })
})

test('a waiter does not ask more than it has to, where it has to ask', async () => {
  const records = unwatchable()
  const [holder, other] = [testbed({ records, lease: '1h' }), testbed({ records })]
  await hold(holder)
  const rejected = expect(other.idempotency.run(charge, vi.fn(), wait('60s'))).rejects.toThrow(
    IdempotencyInProgressError,
  )
  await advance(60_000)
  await rejected
  const gets = other.store.names.filter((name) => name === 'get').length
  expect(gets).toBeGreaterThan(55)
  expect(gets).toBeLessThan(130)
})
