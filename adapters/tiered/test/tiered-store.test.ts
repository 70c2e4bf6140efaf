import { createIdempotency, unscoped } from '@retryproof/core'
import type { Claim } from '@retryproof/core/store'
import { memoryStore } from '@retryproof/memory'
import fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import { lruCache, type SettledCache, tieredStore } from '../src/index.ts'

const CACHE_FOR_MS = 30
const claim = (fingerprint: string): Claim => ({
  owner: crypto.randomUUID(),
  fingerprint,
  leaseMs: 10,
  retentionMs: 50,
})

/** A cache that may drop, hold back and repeat what it is told, and answer with whatever it ever knew. */
function capriciousCache() {
  const history = new Map<string, Uint8Array[]>()
  let current = new Map<string, Uint8Array>()
  return {
    mood: 'good' as 'good' | 'drops writes' | 'fails' | 'answers anything it ever knew',
    lose() {
      current = new Map()
    },
    async get(key: string) {
      if (this.mood === 'fails') throw new Error('cache is down')
      if (this.mood === 'answers anything it ever knew') return history.get(key)?.[0]
      return current.get(key)
    },
    async set(key: string, value: Uint8Array) {
      if (this.mood === 'fails') throw new Error('cache is down')
      history.set(key, [...(history.get(key) ?? []), value])
      if (this.mood === 'drops writes') return
      current.set(key, value)
    },
    async delete(key: string) {
      if (this.mood === 'fails') throw new Error('cache is down')
      current.delete(key)
    },
  }
}

type Step =
  | { do: 'begin'; key: string; fingerprint: string }
  | { do: 'complete' | 'fail' | 'park' | 'release'; key: string; stale: boolean }
  | { do: 'forget'; key: string }
  | { do: 'advance'; ms: number }
  | { do: 'mood'; mood: ReturnType<typeof capriciousCache>['mood'] }
  | { do: 'lose' }

const key = fc.constantFrom('a', 'b')
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant('begin' as const), key, fingerprint: fc.constantFrom('f', 'g') }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constantFrom('complete' as const, 'fail', 'park', 'release'),
      key,
      stale: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('forget' as const), key }) },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('advance' as const), ms: fc.constantFrom(1, 10, 29, 30, 50, 51) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('mood' as const),
      mood: fc.constantFrom('good' as const, 'drops writes', 'fails', 'answers anything it ever knew'),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ do: 'lose' as const }) },
)

test('whatever a cache drops, holds back, repeats or loses, every answer is that of the durable store alone', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 60 }), async (steps) => {
      let now = 1_000_000
      const cache = capriciousCache()
      const alone = memoryStore({ now: () => now })
      const durable = memoryStore({ now: () => now })
      const tiered = tieredStore({ cache: [lruCache(), cache], durable, now: () => now, cacheFor: CACHE_FOR_MS })
      // another process, which has a cache of its own and believes what it has
      const other = tieredStore({ cache: [lruCache(), cache], durable, now: () => now, cacheFor: CACHE_FOR_MS })
      const tokens = new Map<string, number>()
      for (const [index, each] of steps.entries()) {
        if (each.do === 'advance') now += each.ms
        else if (each.do === 'mood') cache.mood = each.mood
        else if (each.do === 'lose') cache.lose()
        else if (each.do === 'begin') {
          const asked = claim(each.fingerprint)
          const expected = await alone.begin(each.key, asked)
          const answer = await (index % 2 ? tiered : other).begin(each.key, asked)
          expect(answer).toEqual(expected)
          if (expected.outcome === 'acquired') tokens.set(each.key, expected.token)
        } else {
          const held = tokens.get(each.key) ?? 1
          const change = {
            complete: { to: 'completed', result: new Uint8Array([index]), retentionMs: 50 } as const,
            fail: { to: 'failed', result: new Uint8Array([index]), retentionMs: 50 } as const,
            park: { to: 'parked', retentionMs: 50 } as const,
            release: { to: 'released', delayMs: 5, retentionMs: 50 } as const,
            forget: { to: 'forgotten', tombstoneMs: 10 } as const,
          }[each.do]
          const token = 'stale' in each && each.stale ? held - 1 : held
          expect(await tiered.transition(each.key, token, change)).toEqual(
            await alone.transition(each.key, token, change),
          )
          // a forget binds once every entry is too old to be believed
          if (each.do === 'forget') now += CACHE_FOR_MS
        }
      }
    }),
    { numRuns: Number(process.env.FC_RUNS ?? 500) },
  )
})

describe('a replay', () => {
  async function settle(cache: SettledCache | SettledCache[]) {
    const durable = memoryStore()
    const begin = vi.spyOn(durable, 'begin')
    const store = tieredStore({ cache, durable })
    const idempotency = createIdempotency({ store, namespace: 'n' })
    const call = { operation: 'charge', scope: unscoped, key: 'k', payload: 1 } as const
    await idempotency.run(call, () => ({ n: 1 }))
    await idempotency.run(call, () => ({ n: 2 }))
    begin.mockClear()
    return { idempotency, call, begin, durable, store }
  }

  test('from the local cache calls no store', async () => {
    const { idempotency, call, begin } = await settle(lruCache())
    for (let times = 0; times < 10; times++) {
      expect(await idempotency.run(call, () => ({ n: 3 }))).toMatchObject({ value: { n: 1 }, replayed: true })
    }
    expect(begin).not.toHaveBeenCalled()
  })

  test('of another payload is never answered from a cache', async () => {
    const { idempotency, call, begin } = await settle(lruCache())
    await expect(idempotency.run({ ...call, payload: 2 }, () => 1)).rejects.toMatchObject({
      code: 'IDEMPOTENCY_KEY_REUSED',
    })
    expect(begin).toHaveBeenCalledOnce()
  })

  test('hands out copies: whoever changes one changes nothing', async () => {
    const durable = memoryStore()
    const store = tieredStore({ cache: lruCache(), durable })
    const { token } = await store.begin('k', claim('f'))
    await store.transition('k', token, { to: 'completed', result: new Uint8Array([1, 2]), retentionMs: 5000 })
    for (let times = 0; times < 4; times++) {
      const { result } = await store.begin('k', claim('f'))
      expect(result).toEqual(new Uint8Array([1, 2]))
      result?.fill(9)
    }
  })

  test('that many ask for at once is one call of the durable store', async () => {
    const { call, begin, durable } = await settle({ get: () => null, set: () => {}, delete: () => {} })
    const fresh = createIdempotency({ store: tieredStore({ cache: lruCache(), durable }), namespace: 'n' })
    const replays = await Promise.all(Array.from({ length: 50 }, () => fresh.run(call, () => ({ n: 4 }))))
    expect(new Set(replays.map(({ value }) => value.n))).toEqual(new Set([1]))
    expect(begin).toHaveBeenCalledOnce()
  })

  test('is not held up by a cache that hangs', async () => {
    const hanging: SettledCache = {
      get: () => new Promise(() => {}),
      set: () => new Promise(() => {}),
      delete: () => {},
    }
    const { idempotency, call } = await settle(hanging)
    expect((await idempotency.run(call, () => ({ n: 3 }))).replayed).toBe(true)
  })

  test('found in a farther cache goes into the nearer one', async () => {
    const [near, far] = [lruCache(), lruCache()]
    const { idempotency, call, begin, durable } = await settle(far)
    const both = createIdempotency({ store: tieredStore({ cache: [near, far], durable }), namespace: 'n' })
    await both.run(call, () => ({ n: 3 }))
    const nearOnly = createIdempotency({ store: tieredStore({ cache: near, durable }), namespace: 'n' })
    expect(await nearOnly.run(call, () => ({ n: 3 }))).toMatchObject({ replayed: true })
    expect(begin).not.toHaveBeenCalled()
    await idempotency.drain()
  })
})

test('a begin that hangs holds up no other call of its key', async () => {
  const durable = memoryStore()
  let calls = 0
  const flaky = {
    ...durable,
    begin: (...call: Parameters<typeof durable.begin>) =>
      calls++ === 0 ? new Promise<never>(() => {}) : durable.begin(...call),
  }
  const store = tieredStore({ cache: lruCache(), durable: flaky, cacheTimeout: 10 })
  void store.begin('k', claim('f'))
  expect((await store.begin('k', claim('f'))).outcome).toBe('acquired')
})

test('after a forget, this process replays nothing older, however late a cache writes', async () => {
  const entries = new Map<string, Uint8Array>()
  const writes: (() => void)[] = []
  const slow: SettledCache = {
    get: (key) => entries.get(key),
    set: (key, value) => {
      writes.push(() => entries.set(key, value))
    },
    delete: (key) => entries.delete(key),
  }
  const idempotency = createIdempotency({ store: tieredStore({ cache: slow, durable: memoryStore() }), namespace: 'n' })
  const call = { operation: 'charge', scope: unscoped, key: 'k' } as const
  await idempotency.run(call, () => 'wrong')
  await idempotency.run(call, () => 'replays, so that it is cached')
  await idempotency.forget(call)
  await idempotency.run(call, () => 'right')
  for (const write of writes) write()
  expect((await idempotency.run(call, () => 'again')).value).toBe('right')
})

test('a cache that two databases share serves each its own entries', async () => {
  const cache = lruCache()
  const open = () => createIdempotency({ store: tieredStore({ cache, durable: memoryStore() }), namespace: 'n' })
  const call = { operation: 'charge', scope: unscoped, key: 'k' } as const
  const [eu, us] = [open(), open()]
  await eu.run(call, () => 'EU')
  await eu.run(call, () => 'replays, so that it is cached')
  expect(await us.run(call, () => 'US')).toMatchObject({ value: 'US', replayed: false })
})

test.each<[string, (entry: Uint8Array | undefined) => unknown]>([
  ['bytes of somebody else', () => new TextEncoder().encode('{"version":2}\nx')],
  ['a text', (entry) => entry && String.fromCharCode(...entry)],
  ['a list of numbers', (entry) => entry && [...entry]],
  ['an object', (entry) => entry && { ...entry }],
  ['a number', () => 5],
])('what is no entry is no answer: %s', async (_, lie) => {
  const entries = new Map<string, Uint8Array>()
  const cache = {
    get: (key: string) => lie(entries.get(key)),
    set: (key: string, value: Uint8Array) => entries.set(key, value),
    delete: () => {},
  } as SettledCache
  const store = tieredStore({ cache, durable: memoryStore() })
  const { token, outcome } = await store.begin('k', claim('f'))
  expect(outcome).toBe('acquired')
  await store.transition('k', token, { to: 'completed', result: new Uint8Array([1]), retentionMs: 1000 })
  for (let replay = 0; replay < 2; replay++) {
    expect(await store.begin('k', claim('f'))).toMatchObject({ outcome: 'settled', result: new Uint8Array([1]) })
  }
})

test('an array that a cache gives again, changed meanwhile, is no answer', async () => {
  const entries = new Map<string, Uint8Array>()
  const cache: SettledCache = {
    get: (key) => entries.get(key),
    set: (key, value) => entries.set(key, value),
    delete: (key) => entries.delete(key),
  }
  const store = tieredStore({ cache, durable: memoryStore() })
  const settled = { outcome: 'settled', result: new Uint8Array([1, 2, 3]) }
  const { token } = await store.begin('k', claim('f'))
  await store.transition('k', token, { to: 'completed', result: settled.result, retentionMs: 1000 })
  for (let replay = 0; replay < 3; replay++) {
    expect(await store.begin('k', claim('f'))).toMatchObject(settled)
    entries.get('k')?.fill(7, -3)
  }
})

test('an entry of a process whose clock is ahead lives no longer than one of our own', async () => {
  const [cache, durable] = [lruCache(), memoryStore()]
  const tiers = { cache, durable, durableId: 'orders', cacheFor: '30s' } as const
  const ahead = createIdempotency({ store: tieredStore({ ...tiers, now: () => Date.now() + 60_000 }), namespace: 'n' })
  const own = createIdempotency({ store: tieredStore(tiers), namespace: 'n' })
  const call = { operation: 'charge', scope: unscoped, key: 'k' } as const
  await ahead.run(call, () => 'wrong')
  await ahead.run(call, () => 'replays, so that it is cached')
  await createIdempotency({ store: durable, namespace: 'n' }).forget(call)
  expect((await own.run(call, () => 'right')).value).toBe('right')
})

test.each([
  { cache: [] },
  { cache: lruCache(), cacheFor: 0 },
  { cache: lruCache(), cacheFor: '2h' },
  { cache: lruCache(), durableId: '' },
])('%o is refused', (options) => {
  const open = () => tieredStore({ durable: memoryStore(), ...(options as { cache: SettledCache }) })
  expect(open).toThrow(expect.objectContaining({ code: 'IDEMPOTENCY_INVALID_OPTION' }))
})
