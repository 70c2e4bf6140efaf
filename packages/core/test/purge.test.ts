/** The purge that runs by itself: from the first call on, one at a time, until `drain`. */
import { memoryStore } from '@retryproof/memory'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { StoreClosedError } from '../src/errors.ts'
import { createIdempotency, type PurgeOptions, unscoped } from '../src/index.ts'
import { countRecords, wrapStore } from '../src/store.ts'

const MINUTE_MS = 60_000
const call = { operation: 'charge', scope: 'ann', key: 'k' }

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

function open(purge?: PurgeOptions | false, removed: () => Promise<number> = async () => 0) {
  const purges = vi.fn(removed)
  const store = wrapStore(memoryStore({ now: () => Date.now() }), { purge: purges })
  return { purges, idempotency: createIdempotency({ store, namespace: 'n', ...(purge !== undefined && { purge }) }) }
}

test('an instance that is called purges within two minutes, and again each minute', async () => {
  const { purges, idempotency } = open()
  await idempotency.run(call, () => 1)
  await vi.advanceTimersByTimeAsync(MINUTE_MS - 1)
  expect(purges).not.toHaveBeenCalled()
  await vi.advanceTimersByTimeAsync(10 * MINUTE_MS)
  expect(purges.mock.calls.length).toBeGreaterThanOrEqual(5)
  expect(purges.mock.calls.length).toBeLessThanOrEqual(10)
})

test('an expired record is gone from a store that nobody asks for it', async () => {
  const store = memoryStore({ now: () => Date.now() })
  const idempotency = createIdempotency({ store, namespace: 'n', retention: '1s' })
  await idempotency.run(call, () => 1)
  await vi.advanceTimersByTimeAsync(5 * MINUTE_MS)
  const left: string[] = []
  for await (const { key } of store.list({ namespace: 'n', expired: true })) left.push(key)
  expect(left.filter((key) => key.startsWith('n.charge.'))).toEqual([])
})

test('an instance that is never called, `purge: false`, and a store that purges by itself set no timer', async () => {
  open()
  await open(false).idempotency.run(call, () => 1)
  const { begin, transition, get, capabilities } = memoryStore()
  const store = { begin, transition, get, capabilities }
  await createIdempotency({ store, namespace: 'n' }).run(call, () => 1)
  expect(vi.getTimerCount()).toBe(0)
})

test('`drain` ends it, waits for the batch that runs, and no later call begins another', async () => {
  let finish = (_: number) => {}
  const batch = new Promise<number>((resolve) => {
    finish = resolve
  })
  const { purges, idempotency } = open({ every: '1s' }, () => batch)
  await idempotency.run(call, () => 1)
  await vi.advanceTimersByTimeAsync(3000)
  let isDrained = false
  const drained = idempotency.drain().then(() => {
    isDrained = true
  })
  await vi.advanceTimersByTimeAsync(1000)
  expect(isDrained).toBe(false)
  finish(1000)
  await drained
  expect(purges).toHaveBeenCalledTimes(1)
  await idempotency.run(call, () => 1)
  await vi.advanceTimersByTimeAsync(10 * MINUTE_MS)
  expect(purges).toHaveBeenCalledTimes(1)
})

test('`drain` waits no longer than its timeout for a batch that never ends', async () => {
  const { idempotency } = open({ every: '1s' }, () => new Promise(() => {}))
  await idempotency.run(call, () => 1)
  await vi.advanceTimersByTimeAsync(3000)
  const drained = idempotency.drain({ timeout: '5s' })
  await vi.advanceTimersByTimeAsync(5001)
  await expect(drained).resolves.toEqual({ unfinished: 0 })
})

test('a store that was closed ends it', async () => {
  const { purges, idempotency } = open({ every: '1s' })
  await idempotency.run(call, () => 1)
  const store = wrapStore(memoryStore(), {
    begin: async () => Promise.reject(new StoreClosedError('The pool was ended.', {})),
    purge: purges,
  })
  const closed = createIdempotency({ store, namespace: 'n', purge: { every: '1s' } })
  await closed.run(call, () => 1).catch(() => {})
  await idempotency.drain()
  await vi.advanceTimersByTimeAsync(10_000)
  expect(vi.getTimerCount()).toBe(0)
})

test('`startPurge` replaces it', async () => {
  const { purges, idempotency } = open({ every: '1s' })
  await idempotency.run(call, () => 1)
  const runner = idempotency.startPurge({ every: '1m' })
  await runner.stop()
  await vi.advanceTimersByTimeAsync(10 * MINUTE_MS)
  expect(purges).not.toHaveBeenCalled()
})

test('`startPurge` after `drain` purges nothing and sets no timer', async () => {
  const { purges, idempotency } = open()
  await idempotency.drain()
  const runner = idempotency.startPurge({ every: '1s' })
  expect(vi.getTimerCount()).toBe(0)
  await vi.advanceTimersByTimeAsync(10_000)
  expect(purges).not.toHaveBeenCalled()
  await runner.stop()
})

test('a second `startPurge` stops the first', async () => {
  const { idempotency } = open(false)
  const onPurged = vi.fn()
  idempotency.startPurge({ every: '1s', onPurged })
  const second = idempotency.startPurge({ every: '1h' })
  await vi.advanceTimersByTimeAsync(10_000)
  expect(onPurged).not.toHaveBeenCalled()
  await second.stop()
})

test.each(['counts by itself', 'cannot count'])(
  'its turn is no record of anybody: a store that %s',
  async (counting) => {
    const records = memoryStore({ now: () => Date.now() })
    const count = () => countRecords(records.list({ namespace: 'n' }))
    const store = counting === 'cannot count' ? records : { ...records, count }
    const idempotency = createIdempotency({ store, namespace: 'n', purge: false })
    const purging = idempotency.startPurge({ every: '1m' })
    await vi.advanceTimersByTimeAsync(MINUTE_MS)
    await purging.stop()
    const turns: string[] = []
    for await (const { key } of records.list({ namespace: 'n' })) turns.push(key)
    expect(turns).toHaveLength(1)

    await idempotency.run({ ...call, operation: 'a' }, () => 1)
    await idempotency.run({ ...call, operation: 'z', scope: unscoped }, () => 1)
    const operations = async (limit?: number) => {
      const listed: (string | undefined)[] = []
      for await (const { key } of idempotency.list(limit === undefined ? {} : { limit })) listed.push(key.split('.')[1])
      return listed
    }
    expect(await operations()).toEqual(['a', 'z'])
    expect(await operations(1)).toEqual(['a'])
    expect(await operations(2)).toEqual(['a', 'z'])
    expect((await idempotency.count()).map(({ operation }) => operation).sort()).toEqual(['a', 'z'])
    expect(await idempotency.eraseScope(unscoped)).toBe(1)
  },
)

test('its options are checked when the instance is made', () => {
  expect(() => open({ every: 5 })).toThrow(/every/)
  expect(() => open({ batch: 0 })).toThrow(/batch/)
  const mistyped = { evry: '1m' }
  expect(() => open(mistyped as PurgeOptions)).toThrow(/did you mean every/)
})
