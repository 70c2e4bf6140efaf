/** Tests the methods around `run`: operations and their policies, wrapped functions, looking at a record. */
import { describe, expect, test, vi } from 'vitest'
import { release, unreplayable } from '../src/api/handler-results.ts'
import type { Serializer } from '../src/api/serialization.ts'
import { json } from '../src/encoding/json.ts'
import { IdempotencyInvalidOptionError } from '../src/errors.ts'
import { charge, hold, onVirtualTime, testbed } from './testbed.ts'

const { advance } = onVirtualTime()

const { operation: _, ...call } = charge
const claims = ({ store }: ReturnType<typeof testbed>) => store.calls.flatMap(({ claim }) => claim ?? [])

describe('policies: the nearest wins, and what it does not say stands', () => {
  test('instance, operation, call', async () => {
    const bed = testbed({ lease: '1s', retention: '1m' })
    const operation = bed.idempotency.operation('charge', { lease: '2s' })
    await operation.run({ ...call, key: 'a' }, () => 1)
    await operation.run({ ...call, key: 'b' }, () => 1, { retention: '2m' })
    await operation.run({ ...call, key: 'c' }, () => 1, { lease: '3s' })
    await bed.idempotency.run({ ...charge, key: 'd' }, () => 1)
    await bed.idempotency.run({ ...charge, key: 'e' }, () => 1, { lease: '4s' })
    expect(claims(bed).map(({ leaseMs, retentionMs }) => [leaseMs, retentionMs])).toEqual([
      [2000, 60_000],
      [2000, 120_000],
      [3000, 60_000],
      [1000, 60_000],
      [4000, 60_000],
    ])
  })

  test('without any, the defaults', async () => {
    const bed = testbed()
    await bed.idempotency.run(charge, () => 1)
    expect(claims(bed)).toMatchObject([{ leaseMs: 30_000, retentionMs: 86_400_000 }])
  })

  test('undefined says nothing', async () => {
    const bed = testbed({ lease: '1s' })
    await bed.idempotency.operation('charge', { lease: undefined } as never).run(call, () => 1)
    expect(claims(bed)).toMatchObject([{ leaseMs: 1000 }])
  })

  test('a call may store the failure that its operation would not', async () => {
    const { idempotency, store } = testbed({ onFailure: { retry: '1h' } })
    const failing = idempotency.run(charge, () => Promise.reject(new Error('no')), { onFailure: 'store' })
    await expect(failing).rejects.toThrow('no')
    expect(store.names).toEqual(['begin', 'failed'])
  })

  test('the settled record is kept for the retention of the call that settles it', async () => {
    const { idempotency } = testbed({ retention: '1m' })
    await idempotency.run(charge, () => 'paid', { retention: '30d' })
    expect(await idempotency.inspect(charge)).toMatchObject({ retentionRemainingMs: 30 * 86_400_000 })
  })
})

describe('an operation', () => {
  test('is the same kind of write as one that is named in the call', async () => {
    const { idempotency } = testbed()
    const operation = idempotency.operation('charge')
    await operation.run(call, () => 'paid')
    expect(await idempotency.run(charge, vi.fn())).toMatchObject({ value: 'paid', replayed: true })
    expect(await operation.inspect(call)).toMatchObject({ state: 'completed' })
  })

  test('takes no other name from a call', async () => {
    const { idempotency } = testbed()
    await idempotency.operation('charge').run({ ...call, operation: 'refund' } as never, () => 'paid')
    expect(await idempotency.inspect(charge)).toMatchObject({ value: 'paid' })
  })
})

describe('wrap', () => {
  test('makes a function that runs once for each key, and gives its value', async () => {
    const { idempotency } = testbed()
    const pay = vi.fn(async (amount: number, _key: string) => `paid ${amount}`)
    const describe = (amount: number, key: string) => ({ ...charge, key, payload: amount })
    const safePay = idempotency.wrap(pay, describe)
    expect(await safePay(100, 'a')).toBe('paid 100')
    expect(await safePay(100, 'a')).toBe('paid 100')
    expect(await safePay(200, 'b')).toBe('paid 200')
    await expect(safePay(300, 'a')).rejects.toMatchObject({ code: 'IDEMPOTENCY_KEY_REUSED' })
    expect(pay.mock.calls).toEqual([
      [100, 'a'],
      [200, 'b'],
    ])
  })

  test('of an operation, with policies', async () => {
    const bed = testbed()
    const safePay = bed.idempotency.operation('charge', { lease: '1s' }).wrap(
      (key: string) => key,
      (key) => ({ ...call, key }),
      { retention: '1h' },
    )
    expect(await safePay('a')).toBe('a')
    expect(claims(bed)).toMatchObject([{ leaseMs: 1000, retentionMs: 3_600_000 }])
    expect(await bed.idempotency.inspect({ ...charge, key: 'a' })).toMatchObject({ value: 'a' })
  })

  test('a description that throws rejects, and runs nothing', async () => {
    const { idempotency, store } = testbed()
    const fn = vi.fn()
    const wrapped = idempotency.wrap(fn, () => {
      throw new Error('no key in the event')
    })
    await expect(wrapped()).rejects.toThrow('no key in the event')
    expect(fn).not.toHaveBeenCalled()
    expect(store.names).toEqual([])
  })

  test('what is no function is refused at once', () => {
    const { idempotency } = testbed()
    expect(() => idempotency.wrap(undefined as never, () => charge)).toThrow(IdempotencyInvalidOptionError)
    expect(() => idempotency.wrap(vi.fn(), undefined as never)).toThrow(/^describe: must be a function/)
  })
})

describe('inspect', () => {
  test('nothing', async () => {
    const { idempotency, store } = testbed()
    expect(await idempotency.inspect(charge)).toBeNull()
    expect(store.names).toEqual(['get'])
  })

  test('an attempt that runs', async () => {
    const bed = testbed({ lease: '30s', retention: '1h' })
    const held = await hold(bed)
    await advance(1000)
    expect(await bed.idempotency.inspect(charge)).toEqual({
      key: expect.stringMatching(/\.charge\.[0-9a-f]{64}$/),
      fingerprint: expect.stringMatching(/./),
      state: 'in_progress',
      token: held.attempt.token,
      attempt: 1,
      interrupted: false,
      leaseRemainingMs: 29_000,
      retentionRemainingMs: 3_629_000,
    })
  })

  test('a value', async () => {
    const { idempotency, store } = testbed({ retention: '1h' })
    await idempotency.run(charge, () => ({ id: 'ch_1' }))
    store.names.length = 0
    expect(await idempotency.inspect(charge)).toMatchObject({
      state: 'completed',
      value: { id: 'ch_1' },
      leaseRemainingMs: 0,
      retentionRemainingMs: 3_600_000,
    })
    expect(store.names).toEqual(['get'])
  })

  test('a failure', async () => {
    const { idempotency } = testbed({ onFailure: 'store' })
    await idempotency.run(charge, () => Promise.reject(new Error('declined'))).catch(() => undefined)
    expect(await idempotency.inspect(charge)).toMatchObject({ state: 'failed', error: { message: 'declined' } })
  })

  test('what was done and not kept', async () => {
    const { idempotency } = testbed()
    await idempotency.run(charge, () => unreplayable('a stream'))
    expect(await idempotency.inspect(charge)).toMatchObject({
      state: 'completed',
      error: { code: 'IDEMPOTENCY_NOT_REPLAYABLE' },
    })
  })

  test('a key that was handed back', async () => {
    const { idempotency } = testbed()
    await idempotency.run(charge, () => release('busy', { delay: '10s' }))
    expect(await idempotency.inspect(charge)).toMatchObject({ state: 'released', leaseRemainingMs: 10_000 })
  })

  test('a record that cannot be read is shown as such', async () => {
    const foreign: Serializer = { ...json(), id: 'foreign' }
    const { idempotency, store } = testbed()
    await idempotency.run(charge, () => 'paid', { serializer: foreign })
    expect(await idempotency.inspect(charge)).toMatchObject({
      state: 'completed',
      unreadable: { code: 'IDEMPOTENCY_UNDECODABLE' },
    })
    const other = testbed({ records: store, serializer: foreign })
    expect(await other.idempotency.inspect(charge)).toMatchObject({ value: 'paid' })
  })

  test('a bad reference, and a store that cannot be reached', async () => {
    const { idempotency, store } = testbed()
    await expect(idempotency.inspect({ ...charge, key: '' })).rejects.toMatchObject({
      code: 'IDEMPOTENCY_INVALID_CALL',
      field: 'key',
    })
    store.fate = () => 'refused'
    await expect(idempotency.inspect(charge)).rejects.toMatchObject({ code: 'IDEMPOTENCY_STORE_UNAVAILABLE' })
  })
})

describe('other serializers', () => {
  test('the first caller gets its value through the serializer, unless that says that it is exact', async () => {
    const seen = async (exact: boolean) => {
      const deserialize = vi.fn((bytes: Uint8Array): unknown => JSON.parse(new TextDecoder().decode(bytes)))
      const serialize = (value: unknown) => new TextEncoder().encode(JSON.stringify(value))
      const { idempotency } = testbed({ serializer: { id: 'mine', serialize, deserialize, exact } })
      const value = { at: new Date(0) }
      const first = await idempotency.run<typeof value, typeof value>(charge, () => value)
      return { isItself: first.value === value, deserialized: deserialize.mock.calls.length }
    }
    expect(await seen(false)).toEqual({ isItself: false, deserialized: 1 })
    expect(await seen(true)).toEqual({ isItself: true, deserialized: 0 })
  })

  const spaced: Serializer = {
    id: 'spaced',
    serialize: (value) => new TextEncoder().encode(`  ${JSON.stringify(value)}  `),
    deserialize: (bytes) => JSON.parse(new TextDecoder().decode(bytes)),
  }

  test('values go through it on both ways; records of json() stay readable', async () => {
    const { idempotency } = testbed()
    await idempotency.run({ ...charge, key: 'old' }, () => 'old')
    expect(await idempotency.run(charge, () => [1], { serializer: spaced })).toMatchObject({ value: [1] })
    const replay = await idempotency.run(charge, vi.fn(), { serializer: spaced })
    expect(replay).toMatchObject({ value: [1], replayed: true })
    expect(await idempotency.run({ ...charge, key: 'old' }, vi.fn(), { serializer: spaced })).toMatchObject({
      value: 'old',
    })
  })
})
