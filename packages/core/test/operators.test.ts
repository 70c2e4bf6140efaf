import { memoryStore } from '@retryproof/memory'
import fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import { createIdempotency, IdempotencyInvalidOptionError, unscoped } from '../src/index.ts'
import { type ListQuery, listUnsorted, reduce, wrapStore } from '../src/store.ts'
import { interposed } from './interposed-store.ts'

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}

test('list gives the records of this namespace only, by operation and state', async () => {
  const store = memoryStore()
  const payments = createIdempotency({ store, namespace: 'payments' })
  const others = createIdempotency({ store, namespace: 'others' })
  await payments.run({ operation: 'charge', scope: 'a', key: '1' }, () => 1)
  await payments.run({ operation: 'refund', scope: 'a', key: '1' }, () => 1)
  await others.run({ operation: 'charge', scope: 'a', key: '1' }, () => 1)
  await payments
    .run({ operation: 'charge', scope: 'a', key: '2' }, () => Promise.reject(new Error('no')))
    .catch(() => {})

  expect(await collect(payments.list())).toHaveLength(3)
  expect(await collect(payments.list({ operation: 'charge' }))).toHaveLength(2)
  expect(await collect(payments.list({ state: 'released' }))).toMatchObject([{ state: 'released', attempt: 1 }])
})

test('records that a store reads in any order are listed in the order of their keys, up to a limit', async () => {
  const { record } = reduce(
    null,
    { op: 'begin', claim: { owner: 'o', fingerprint: 'f', leaseMs: 1_000, retentionMs: 1_000 } },
    0,
  )
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(fc.string({ minLength: 1, maxLength: 4 }), { minLength: 0, maxLength: 2000 }),
      fc.option(fc.nat(700), { nil: undefined }),
      async (keys, limit) => {
        const seen = keys.map((key) => ({ key, record, now: 0 }))
        const listed = await collect(listUnsorted(limit === undefined ? {} : { limit }, seen))
        expect(listed.map(({ key }) => key)).toEqual([...keys].sort().slice(0, limit))
      },
    ),
    { numRuns: 30 },
  )
})

test('a forgotten key is new again, and the attempt that ran finds itself lost', async () => {
  const idempotency = createIdempotency({ store: memoryStore(), namespace: 'n' })
  const reference = { operation: 'charge', scope: unscoped, key: 'k' } as const
  expect(await idempotency.forget(reference)).toBe(false)
  const first = await idempotency.run(reference, async () => {
    expect(await idempotency.forget(reference)).toBe(true)
    return 'first'
  })
  expect(first).toMatchObject({ value: 'first', replayed: false, recorded: false, attempt: 1 })
  const second = await idempotency.run({ ...reference, payload: 'another' }, ({ number }) => number)
  expect(second).toMatchObject({ value: 1, replayed: false, recorded: true, attempt: 1 })
})

test('a fleet purges once per period, whoever comes first', async () => {
  vi.useFakeTimers()
  try {
    const purged: number[] = []
    const purge = vi.fn(async () => 7)
    const { begin, transition, get, capabilities } = memoryStore({ now: () => Date.now() })
    const store = { begin, transition, get, capabilities, purge }
    const fleet = [1, 2, 3].map(() => createIdempotency({ store, namespace: 'n' }))
    const runners = fleet.map((each) =>
      each.startPurge({ every: '10s', batch: 10, onPurged: (count) => purged.push(count) }),
    )
    await vi.advanceTimersByTimeAsync(10_000)
    expect(purged).toEqual([7])
    await vi.advanceTimersByTimeAsync(100_000)
    expect(purged.length).toBeGreaterThanOrEqual(5)
    expect(purged.length).toBeLessThanOrEqual(11)
    await Promise.all(runners.map((runner) => runner.stop()))
    const before = purged.length
    await vi.advanceTimersByTimeAsync(100_000)
    expect(purged).toHaveLength(before)
  } finally {
    vi.useRealTimers()
  }
})

test('a purge goes on while batches are full, and its failure is told and does not end the runner', async () => {
  vi.useFakeTimers()
  try {
    const full = [10, 10, 3]
    const { begin, transition, get, capabilities } = memoryStore({ now: () => Date.now() })
    const purge = vi.fn(async () => full.shift() ?? Promise.reject(new Error('gone')))
    const idempotency = createIdempotency({ store: { begin, transition, get, capabilities, purge }, namespace: 'n' })
    const purged: number[] = []
    const failures: string[] = []
    idempotency.on('storeUnavailable', ({ call }) => failures.push(call))
    const runner = idempotency.startPurge({ every: '1s', batch: 10, onPurged: (count) => purged.push(count) })
    await vi.advanceTimersByTimeAsync(5000)
    expect(purged[0]).toBe(23)
    expect(purged.length).toBeGreaterThan(1)
    expect(new Set(failures)).toEqual(new Set(['purge']))
    await runner.stop()
  } finally {
    vi.useRealTimers()
  }
})

test('what a store cannot do is refused at once', () => {
  const { begin, transition, get, capabilities } = memoryStore()
  const idempotency = createIdempotency({ store: { begin, transition, get, capabilities }, namespace: 'n' })
  expect(() => idempotency.list()).toThrow(IdempotencyInvalidOptionError)
  expect(() => idempotency.startPurge()).toThrow(IdempotencyInvalidOptionError)
  const purging = createIdempotency({ store: memoryStore(), namespace: 'n' })
  expect(() => purging.startPurge({ every: 5 })).toThrow(/every/)
  expect(() => purging.startPurge({ batch: 0 })).toThrow(/batch/)
})

describe('resolve refuses a result that the callers could not read', () => {
  const text = {
    id: 'text',
    serialize(value: unknown) {
      if (typeof value !== 'string') throw new TypeError('not a text')
      return new TextEncoder().encode(value)
    },
    deserialize: (bytes: Uint8Array) => new TextDecoder().decode(bytes),
  }
  const call = { operation: 'greet', scope: 'a', key: 'k' }

  async function parked() {
    const store = memoryStore()
    const greet = createIdempotency({ store, namespace: 'n' }).operation('greet', {
      serializer: text,
      maxAttempts: 1,
      onTakeover: 'park',
    })
    await greet.run({ ...call, key: 'done' }, () => 'hello')
    await greet.run(call, () => Promise.reject(new Error('broken'))).catch(() => {})
    await greet.run(call, () => 'again').catch(() => {})
    return { store, greet }
  }

  test('as a completed record of the operation shows, in a process that knows nothing of it', async () => {
    const { store, greet } = await parked()
    const shell = createIdempotency({ store, namespace: 'n' })
    const refused = shell.resolve(call, { completed: { id: 'ch_1' } })
    await expect(refused).rejects.toMatchObject({
      code: 'IDEMPOTENCY_INVALID_CALL',
      message: expect.stringMatching(/'text'/),
    })
    expect(await shell.inspect(call)).toMatchObject({ state: 'parked' })
    await shell.operation('greet', { serializer: text }).resolve(call, { completed: 'by hand' })
    expect(await greet.run(call, () => 'again')).toMatchObject({ value: 'by hand', replayed: true })
  })

  test('as the operation was named in this process, with no completed record', async () => {
    const { store, greet } = await parked()
    await greet.forget({ scope: 'a', key: 'done' })
    const idempotency = createIdempotency({ store, namespace: 'n' })
    idempotency.operation('greet', { serializer: text })
    await expect(idempotency.resolve(call, { completed: 1 })).rejects.toMatchObject({
      code: 'IDEMPOTENCY_INVALID_CALL',
    })
  })

  test('but not as another operation shows whose name has the same slug', async () => {
    const { store, greet } = await parked()
    const named = createIdempotency({ store, namespace: 'n' })
    for (const [one, other] of [
      ['支払い', '返金'],
      [`${'a'.repeat(40)}-pay`, `${'a'.repeat(40)}-refund`],
    ] as const) {
      await named.operation(one, { serializer: text }).run({ ...call, key: 'done' }, () => 'hello')
      const refund = named.operation(other, { maxAttempts: 1, onTakeover: 'park' })
      for (const key of ['k', 'listed']) {
        await refund.run({ ...call, key }, () => Promise.reject(new Error('broken'))).catch(() => {})
        await refund.run({ ...call, key }, () => 'again').catch(() => {})
      }
      await refund.resolve(call, { completed: { id: 1 } })
      expect(await refund.run(call, () => 'again')).toMatchObject({ value: { id: 1 }, replayed: true })
      for (const { key } of await collect(named.list({ operation: other, state: 'parked' })))
        await named.resolve({ key }, { completed: { id: 2 } })
      const listed = await refund.run({ ...call, key: 'listed' }, () => 'again')
      expect(listed).toMatchObject({ value: { id: 2 }, replayed: true })
    }
    await expect(greet.resolve(call, { completed: 1 })).rejects.toThrow(/not a text/)
  })

  test('as the operation of a listed key was named in this process', async () => {
    const { store, greet } = await parked()
    await greet.forget({ scope: 'a', key: 'done' })
    const idempotency = createIdempotency({ store, namespace: 'n' })
    idempotency.operation('Greet', { serializer: text })
    const [listed] = await collect(idempotency.list({ state: 'parked' }))
    expect(listed?.state).toBe('parked')
    const refused = idempotency.resolve({ key: listed?.key ?? '' }, { completed: 1 })
    await expect(refused).rejects.toMatchObject({ code: 'IDEMPOTENCY_INVALID_CALL' })
  })

  test('as its serializer says', async () => {
    const { greet } = await parked()
    await expect(greet.resolve(call, { completed: 1 })).rejects.toThrow(/not a text/)
    await greet.resolve(call, { completed: 'by hand' })
  })
})

test('inspect shows a record whose value this instance cannot read, and why', async () => {
  const store = memoryStore()
  const text = { id: 'text', serialize: () => new Uint8Array([1]), deserialize: () => 'x' }
  const reference = { operation: 'charge', scope: 'a', key: 'k' }
  await createIdempotency({ store, namespace: 'n', serializer: text }).run(reference, () => 'x')
  const inspection = await createIdempotency({ store, namespace: 'n' }).inspect(reference)
  expect(inspection).toMatchObject({ state: 'completed', attempt: 1, unreadable: { code: 'IDEMPOTENCY_UNDECODABLE' } })
})

describe('records of one scope', () => {
  const stores = { memory: () => memoryStore(), 'a store that ignores the filter': ignoresScope }

  function ignoresScope() {
    const store = memoryStore()
    return wrapStore(store, { list: ({ scope: _, ...query }: ListQuery) => store.list(query) })
  }

  test.each(Object.entries(stores))('are listed and erased, and no others: %s', async (_, open) => {
    const idempotency = createIdempotency({ store: open(), namespace: 'm2', retention: '7d' })
    for (const operation of ['profile', 'charge']) {
      for (const scope of [['ann'], ['bob'], ['ann', 'x']]) {
        await idempotency.run({ operation, scope, key: 'k' }, () => ({ email: `${scope}@example.com` }))
      }
    }
    const listed = await collect(idempotency.list({ scope: 'ann' }))
    expect(listed.map(({ key }) => key.split('.')[1]).toSorted()).toEqual(['charge', 'profile'])
    expect(await collect(idempotency.list({ scope: 'ann', operation: 'charge' }))).toHaveLength(1)
    expect(await idempotency.eraseScope('ann')).toBe(2)
    expect(await collect(idempotency.list({ scope: 'ann' }))).toEqual([])
    expect(await collect(idempotency.list())).toHaveLength(4)
    expect(await idempotency.inspect({ operation: 'charge', scope: 'ann', key: 'k' })).toBeNull()
  })

  test('a listed record can be inspected, resolved and forgotten', async () => {
    const store = memoryStore()
    const idempotency = createIdempotency({ store, namespace: 'n' })
    const charge = idempotency.operation('charge', { maxAttempts: 1, onTakeover: 'park' })
    await charge.run({ scope: 'ann', key: 'k' }, () => Promise.reject(new Error('broken'))).catch(() => {})
    await expect(charge.run({ scope: 'ann', key: 'k' }, () => 1)).rejects.toMatchObject({
      code: 'IDEMPOTENCY_OUTCOME_UNKNOWN',
    })
    const [record] = await collect(idempotency.list({ state: 'parked' }))
    if (!record) throw new Error('nothing is parked')
    expect(await idempotency.inspect(record)).toMatchObject({ state: 'parked' })
    await charge.resolve(record, { completed: 'by hand' })
    expect(await charge.run({ scope: 'ann', key: 'k' }, () => 1)).toMatchObject({ value: 'by hand', replayed: true })
    const other = createIdempotency({ store, namespace: 'other' })
    await expect(other.forget(record)).rejects.toMatchObject({ code: 'IDEMPOTENCY_INVALID_CALL' })
    expect(await charge.forget(record)).toBe(true)
    expect(await charge.inspect({ scope: 'ann', key: 'k' })).toBeNull()
  })

  test('a record with its token is changed only while it is that of the attempt that was seen', async () => {
    const store = memoryStore()
    const idempotency = createIdempotency({ store, namespace: 'n', lease: 1_000 })
    const charge = idempotency.operation('charge', { maxAttempts: 1, onTakeover: 'park' })
    const park = async () => {
      await charge.run({ scope: 'ann', key: 'k' }, () => Promise.reject(new Error('broken'))).catch(() => {})
      await charge.run({ scope: 'ann', key: 'k' }, () => 1).catch(() => {})
      const [record] = await collect(idempotency.list({ state: 'parked' }))
      return record ?? { key: '', token: 0 }
    }
    const seen = await park()
    expect(await idempotency.forget(seen)).toBe(true)
    const later = await park()
    expect(later).toMatchObject({ key: seen.key, state: 'parked' })
    expect(await idempotency.forget(seen)).toBe(false)
    for (const resolution of ['rerun', { completed: 1 }] as const)
      await expect(idempotency.resolve(seen, resolution)).rejects.toMatchObject({
        code: 'IDEMPOTENCY_NOT_PARKED',
        message: expect.stringContaining('a later attempt'),
      })
    expect(await idempotency.inspect(later)).toMatchObject({ state: 'parked', token: later.token })
    await idempotency.resolve(later, { completed: 1 })
    expect(await charge.run({ scope: 'ann', key: 'k' }, () => 2)).toMatchObject({ value: 1, replayed: true })
  })

  test('an attempt that settles between the look and the change is not taken for the resolution', async () => {
    const inner = memoryStore()
    const store = interposed(inner)
    const idempotency = createIdempotency({ store, namespace: 'n' })
    const claim = { owner: 'o', fingerprint: 'f', leaseMs: 1_000, retentionMs: 60_000 }
    const key = `n.charge.${'0'.repeat(64)}`
    const { token } = await store.begin(key, claim)
    await store.transition(key, token, { to: 'parked', retentionMs: 60_000 })
    const late = { to: 'completed', result: new Uint8Array([1]), retentionMs: 60_000 } as const
    store.fate = ({ name }) => (name === 'completed' ? { before: inner.transition(key, token, late) } : 'done')
    await expect(idempotency.resolve({ key, token }, { completed: 'by hand' })).rejects.toMatchObject({
      code: 'IDEMPOTENCY_NOT_PARKED',
    })
  })

  test('an erasure that fails midway says how many records it has deleted', async () => {
    const store = interposed(memoryStore())
    const idempotency = createIdempotency({ store, namespace: 'n' })
    for (const key of ['1', '2', '3']) await idempotency.run({ operation: 'charge', scope: 'ann', key }, () => key)
    store.next('forgotten', 'done', 'done', 'refused')
    await expect(idempotency.eraseScope('ann')).rejects.toMatchObject({
      code: 'IDEMPOTENCY_STORE_UNAVAILABLE',
      message: expect.stringContaining('Erased 2 records'),
    })
    expect(await idempotency.eraseScope('ann')).toBe(1)
  })

  test('a record that is resolved by its storage key is kept as long as its operation keeps records', async () => {
    const idempotency = createIdempotency({ store: memoryStore(), namespace: 'n', retention: '1h' })
    const charge = idempotency.operation('charge', { maxAttempts: 1, onTakeover: 'park', retention: '30d' })
    await charge.run({ scope: 'ann', key: 'k' }, () => Promise.reject(new Error('broken'))).catch(() => {})
    await charge.run({ scope: 'ann', key: 'k' }, () => 1).catch(() => {})
    const [record] = await collect(idempotency.list({ state: 'parked' }))
    const days = async () =>
      Math.ceil(((await charge.inspect({ scope: 'ann', key: 'k' }))?.retentionRemainingMs ?? 0) / 86_400_000)
    expect(await days()).toBe(30)
    await idempotency.resolve(record ?? { key: '' }, { completed: 'by hand' })
    expect(await days()).toBe(30)
  })

  test('a record is found again by its storage key alone, and pages go on after the last one', async () => {
    const idempotency = createIdempotency({ store: memoryStore(), namespace: 'n' })
    for (const key of ['1', '2', '3', '4', '5'])
      await idempotency.run({ operation: 'charge', scope: 'a', key }, () => key)
    const pages: string[][] = []
    for (let after = ''; ; ) {
      const page = (await collect(idempotency.list({ after, limit: 2 }))).map(({ key }) => key)
      if (page.length === 0) break
      pages.push(page)
      after = page.at(-1) ?? ''
    }
    expect(pages.map(({ length }) => length)).toEqual([2, 2, 1])
    expect(pages.flat()).toEqual((await collect(idempotency.list())).map(({ key }) => key))
    const [key = ''] = pages.flat()
    expect(await idempotency.inspect({ key })).toMatchObject({ state: 'completed' })
    expect(await idempotency.forget({ key })).toBe(true)
    expect(await idempotency.inspect({ key })).toBeNull()
    await expect(idempotency.inspect({ key: 'order-1' })).rejects.toMatchObject({ code: 'IDEMPOTENCY_INVALID_CALL' })
  })

  test.each([
    ['by the store', memoryStore],
    ['by a listing', () => wrapStore(memoryStore(), { count: undefined })],
  ])('records are counted by operation and state: %s', async (_, open) => {
    const store = open()
    const idempotency = createIdempotency({ store, namespace: 'n' })
    await createIdempotency({ store, namespace: 'other' }).run({ operation: 'x', scope: 'a', key: 'k' }, () => 1)
    for (const key of ['1', '2']) await idempotency.run({ operation: 'charge', scope: 'a', key }, () => key)
    await idempotency
      .run({ operation: 'refund', scope: 'a', key: 'k' }, () => Promise.reject(new Error('no')))
      .catch(() => {})
    expect(await idempotency.count()).toEqual([
      { operation: 'charge', state: 'completed', records: 2, leaseExpired: 0, longestExpiredMs: 0 },
      { operation: 'refund', state: 'released', records: 1, leaseExpired: 0, longestExpiredMs: 0 },
    ])
  })

  test('an unknown filter is refused', () => {
    const idempotency = createIdempotency({ store: memoryStore(), namespace: 'n' })
    const filter = { tenant: 'ann' } as object
    expect(() => idempotency.list(filter)).toThrow(expect.objectContaining({ option: 'tenant' }))
  })
})
