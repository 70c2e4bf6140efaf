import { IdempotencyInvalidOptionError, StoreUnavailableError } from '@retryproof/core'
import type { Claim } from '@retryproof/core/store'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type MemoryStoreOptions, memoryStore } from '../src/index.ts'

const claim = (changes: Partial<Claim> = {}): Claim => ({
  owner: 'one',
  fingerprint: 'f',
  leaseMs: 1_000,
  retentionMs: 9_000,
  ...changes,
})

function storeAt(startMs: number, options: MemoryStoreOptions = {}) {
  const clock = { ms: startMs }
  return { clock, store: memoryStore({ ...options, now: () => clock.ms }) }
}

async function keysOf(store: ReturnType<typeof memoryStore>, query = {}): Promise<string[]> {
  const keys: string[] = []
  for await (const { key } of store.list(query)) keys.push(key)
  return keys
}

describe('maxRecords', () => {
  test.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])('%s is refused', (maxRecords) => {
    expect(() => memoryStore({ maxRecords })).toThrow(IdempotencyInvalidOptionError)
  })

  test('a new key beyond it is refused, and every live record stays', async () => {
    const { store } = storeAt(1_000_000, { maxRecords: 2 })
    await store.begin('a', claim())
    const { token } = await store.begin('b', claim())

    const refusal = await store.begin('c', claim()).catch((error: unknown) => error)

    expect(refusal).toBeInstanceOf(StoreUnavailableError)
    expect(refusal).toMatchObject({ applied: 'no', message: expect.stringContaining('maxRecords') })
    expect(await store.begin('a', claim({ owner: 'two' }))).toMatchObject({ outcome: 'in_progress' })
    expect(await store.transition('b', token, { to: 'parked', retentionMs: 9_000 })).toMatchObject({ applied: true })
    expect(await keysOf(store)).toEqual(['a', 'b'])
  })

  test('keys that were released without having done anything make room, and no others', async () => {
    const { clock, store } = storeAt(1_000_000, { maxRecords: 5 })
    const release = { to: 'released', delayMs: 0, retentionMs: 9_000 } as const
    const checkpoint = { seq: 1, data: new Uint8Array() }
    for (const [key, change, request] of [
      ['idle', release],
      ['delayed', { ...release, delayMs: 5_000 }],
      ['unresolved', { ...release, unresolved: true }],
      ['kept', release, new Uint8Array([1])],
      ['stepped', release],
    ] as const) {
      const { token } = await store.begin(key, claim(request && { request }))
      if (key === 'stepped') await store.transition(key, token, { to: 'renew', leaseMs: 1, checkpoint })
      await store.transition(key, token, change)
    }
    clock.ms += 1
    expect(await store.begin('new', claim())).toMatchObject({ outcome: 'acquired' })
    expect(await keysOf(store)).toEqual(['delayed', 'kept', 'new', 'stepped', 'unresolved'])
    await expect(store.begin('newer', claim())).rejects.toThrow(StoreUnavailableError)
  })

  test('an expired record makes room, also for its own key', async () => {
    const { clock, store } = storeAt(1_000_000, { maxRecords: 2 })
    const first = await store.begin('a', claim())
    await store.begin('b', claim({ retentionMs: 10_000 }))
    clock.ms += 10_000
    expect(await store.begin('c', claim())).toMatchObject({ outcome: 'acquired' })
    expect(await keysOf(store, { expired: true })).toEqual(['b', 'c'])
    clock.ms += 1_000
    expect(await store.begin('b', claim())).toMatchObject({ outcome: 'acquired', attempt: 1 })
    clock.ms += 10_000
    const again = await store.begin('a', claim())
    expect(again.token).toBeGreaterThan(first.token)
  })

  test('an expired record is found also when it was shortened, or another one renewed', async () => {
    const { clock, store } = storeAt(1_000_000, { maxRecords: 2 })
    const a = await store.begin('a', claim())
    const b = await store.begin('b', claim())
    await store.transition('a', a.token, { to: 'renew', leaseMs: 60_000 })
    await store.transition('b', b.token, { to: 'completed', result: new Uint8Array(), retentionMs: 2_000 })
    clock.ms += 1_999
    await expect(store.begin('c', claim())).rejects.toThrow(StoreUnavailableError)
    clock.ms += 1
    expect(await store.begin('c', claim())).toMatchObject({ outcome: 'acquired' })
    expect(await keysOf(store, { expired: true })).toEqual(['a', 'c'])
  })

  test('whatever happens, no live record is missing and the records stay within the cap', async () => {
    const event = fc.record({
      key: fc.integer({ min: 0, max: 7 }),
      waitMs: fc.integer({ min: 0, max: 3 }),
      lifeMs: fc.integer({ min: 1, max: 12 }),
      settle: fc.boolean(),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(event, { maxLength: 60 }), async (events) => {
        const { clock, store } = storeAt(1_000_000, { maxRecords: 4 })
        const model = new Map<string, { expiresAt: number; settled: boolean }>()
        for (const { key: number, waitMs, lifeMs, settle } of events) {
          clock.ms += waitMs
          const key = `k${number}`
          for (const [name, { expiresAt }] of model) if (expiresAt <= clock.ms) model.delete(name)
          const known = model.get(key)
          const begin = store.begin(key, claim({ leaseMs: 0, retentionMs: lifeMs }))
          if (!known && model.size >= 4) {
            await expect(begin).rejects.toThrow(StoreUnavailableError)
            continue
          }
          const { outcome, token } = await begin
          expect(outcome).toBe(known?.settled ? 'settled' : 'acquired')
          if (!known) model.set(key, { expiresAt: clock.ms + lifeMs, settled: false })
          if (settle && !known?.settled) {
            const result = new Uint8Array()
            await store.transition(key, token, { to: 'completed', result, retentionMs: lifeMs })
            model.set(key, { expiresAt: clock.ms + lifeMs, settled: true })
          }
          expect((await keysOf(store)).sort()).toEqual([...model.keys()].sort())
          expect((await keysOf(store, { expired: true })).length).toBeLessThanOrEqual(4)
        }
      }),
    )
  })
})

test('a busy process keeps about as many records as are live, without purge', async () => {
  const { clock, store } = storeAt(1_000_000)
  let most = 0
  for (let i = 0; i < 50_000; i++) {
    clock.ms += 10
    await store.begin(`k${i}`, claim())
    if (i % 1_000 === 0) most = Math.max(most, (await keysOf(store, { expired: true })).length)
  }
  // 1,000 of them are live at any time
  expect(most).toBeLessThanOrEqual(3_000)
  expect(await keysOf(store)).toHaveLength(1_000)
})

test('the default clock is monotonic: a step of the wall clock ends no lease', async () => {
  const store = memoryStore()
  const wallClock = Date.now
  try {
    const first = await store.begin('k', claim({ leaseMs: 60_000 }))
    Date.now = () => wallClock() + 3_600_000
    expect(await store.begin('k', claim({ owner: 'two' }))).toMatchObject({ outcome: 'in_progress' })
    Date.now = () => wallClock() - 3_600_000
    const reply = await store.transition('k', first.token, { to: 'renew', leaseMs: 60_000 })
    expect(reply).toEqual({ outcome: 'ok', applied: true })
  } finally {
    Date.now = wallClock
  }
  const view = await store.get('k')
  expect(view?.leaseRemainingMs).toBeGreaterThan(50_000)
  expect(Math.abs((view?.token ?? 0) / 1000 - Date.now())).toBeLessThan(60_000)
})

describe('watch', () => {
  test('tells every watcher of the key about each change, until it is aborted', async () => {
    const { store } = storeAt(1_000_000)
    const told: string[] = []
    const [first, second] = [new AbortController(), new AbortController()]
    await store.watch('k', () => told.push('first'), first.signal)
    await store.watch('k', () => told.push('second'), second.signal)
    await store.watch('other', () => told.push('other'), first.signal)

    const { token } = await store.begin('k', claim())
    await Promise.resolve()
    expect(told).toEqual(['first', 'second'])

    first.abort()
    await store.begin('k', claim({ owner: 'two' }))
    await store.transition('k', token, { to: 'released', delayMs: 0, retentionMs: 9_000 })
    await Promise.resolve()
    expect(told).toEqual(['first', 'second', 'second'])

    second.abort()
    await store.begin('k', claim())
    await Promise.resolve()
    expect(told).toHaveLength(3)
  })

  test('an aborted signal arms nothing, and one function may watch twice', async () => {
    const { store } = storeAt(1_000_000)
    let calls = 0
    const count = () => {
      calls++
    }
    const [first, second] = [new AbortController(), new AbortController()]
    await store.watch('k', count, AbortSignal.abort())
    await store.watch('k', count, first.signal)
    await store.watch('k', count, second.signal)
    second.abort()
    await store.begin('k', claim())
    await Promise.resolve()
    expect(calls).toBe(1)
  })
})

test('only a result that is immutable is kept without a copy', async () => {
  const { store } = storeAt(1_000_000)
  for (const immutable of [false, true]) {
    const key = `key-${immutable}`
    const { token } = await store.begin(key, claim())
    const result = new Uint8Array([1, 2, 3])
    await store.transition(key, token, { to: 'completed', result, retentionMs: 9_000, immutable })
    result[0] = 9
    expect((await store.get(key))?.result).toEqual(new Uint8Array([immutable ? 9 : 1, 2, 3]))
  }
})

test('only a reader that changes no bytes is given those of the record', async () => {
  const { store } = storeAt(1_000_000)
  const { token } = await store.begin('k', claim())
  const result = new Uint8Array([1, 2, 3])
  await store.transition('k', token, { to: 'completed', result, retentionMs: 9_000, immutable: true })
  expect((await store.begin('k', claim())).result).not.toBe(result)
  expect((await store.begin('k', claim({ readOnly: true }))).result).toBe(result)
})

test('a request is copied where its record keeps it, and never for a replay', async () => {
  const { store } = storeAt(1_000_000)
  const request = new Uint8Array([1, 2, 3])
  const { token } = await store.begin('k', claim({ request }))
  request[0] = 9
  expect((await store.get('k'))?.request).toEqual(new Uint8Array([1, 2, 3]))
  await store.transition('k', token, { to: 'completed', result: new Uint8Array(), retentionMs: 9_000 })
  const other = new Uint8Array([4])
  await store.begin('k', claim({ request: other }))
  expect((await store.get('k'))?.request).toEqual(new Uint8Array([1, 2, 3]))
})
