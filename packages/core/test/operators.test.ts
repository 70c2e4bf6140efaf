import { memoryStore } from '@retryproof/memory'
import { expect, test, vi } from 'vitest'
import { createIdempotency, IdempotencyInvalidOptionError, unscoped } from '../src/index.ts'

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

test('inspect shows a record whose value this instance cannot read, and why', async () => {
  const store = memoryStore()
  const text = { id: 'text', serialize: () => new Uint8Array([1]), deserialize: () => 'x' }
  const reference = { operation: 'charge', scope: 'a', key: 'k' }
  await createIdempotency({ store, namespace: 'n', serializer: text }).run(reference, () => 'x')
  const inspection = await createIdempotency({ store, namespace: 'n' }).inspect(reference)
  expect(inspection).toMatchObject({ state: 'completed', attempt: 1, unreadable: { code: 'IDEMPOTENCY_UNDECODABLE' } })
})
