/** Results that JSON does not hold: told at the first call, and never replayed as something else. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { charge, testbed } from './testbed.ts'

const warnings: string[] = []

beforeEach(() => {
  vi.spyOn(process, 'emitWarning').mockImplementation((warning) => {
    warnings.push(String(warning))
  })
})
afterEach(() => {
  vi.restoreAllMocks()
  warnings.length = 0
})

class Money {
  currency = 'EUR'
  #cents: number
  constructor(cents: number) {
    this.#cents = cents
  }
  add(other: Money): Money {
    return new Money(this.#cents + other.#cents)
  }
}

class Params extends URLSearchParams {
  label = 'a public member beside what is hidden'
}

describe.each<[string, () => unknown]>([
  ['a bigint', () => ({ id: 10n })],
  ['a Map', () => ({ m: new Map([[1, 2]]) })],
  ['a Set', () => [new Set([1])]],
  ['an Error', () => ({ error: new Error('no') })],
  ['an invalid date', () => ({ at: new Date(Number.NaN) })],
  ['a class with private members', () => ({ price: new Money(100) })],
  ['a subclass of what hides its state', () => new Params('amount=1')],
  ['a promise', () => ({ later: Promise.resolve(1) })],
  ['an ArrayBuffer', () => new ArrayBuffer(8)],
])('%s in a result', (_, make) => {
  test('is told once for each operation, at the first call', async () => {
    const { idempotency } = testbed()
    for (const key of ['k1', 'k2']) await idempotency.run<unknown>({ ...charge, key }, make)
    expect(warnings).toEqual([
      "A result of 'charge' is not kept (not-serializable): a retry throws IDEMPOTENCY_NOT_REPLAYABLE. Return what JSON can hold, or set `serializer`",
    ])
    await idempotency.run<unknown>({ ...charge, operation: 'refund' }, make)
    expect(warnings).toHaveLength(2)
  })

  test('is refused by a replay, which runs nothing', async () => {
    const { idempotency } = testbed()
    const handler = vi.fn(make)
    await idempotency.run<unknown>(charge, handler)
    await expect(idempotency.run<unknown>(charge, handler)).rejects.toMatchObject({ reason: 'not-serializable' })
    expect(handler).toHaveBeenCalledOnce()
  })

  test('is refused in a payload too', async () => {
    const { idempotency, store } = testbed()
    const call = idempotency.run({ ...charge, payload: { it: make() } }, vi.fn())
    await expect(call).rejects.toMatchObject({ code: 'IDEMPOTENCY_INVALID_CALL', field: 'payload' })
    expect(store.names).toEqual([])
  })
})

describe('what a replay gives as it was', () => {
  class Row {
    id = 1
    label = 'public members only'
    get upper(): string {
      return this.label.toUpperCase()
    }
  }

  test.each<[string, () => unknown, unknown]>([
    ['an instance of a class with public members', () => new Row(), { id: 1, label: 'public members only' }],
    ['what has a JSON form of its own', () => ({ toJSON: () => ({ cents: 100 }) }), { cents: 100 }],
    ['a date', () => [new Date(0)], ['1970-01-01T00:00:00.000Z']],
    ['no prototype', () => Object.assign(Object.create(null), { a: 1 }), { a: 1 }],
    [
      'a plain object of another realm',
      () => Object.create(Object.create(null), { a: { value: 1, enumerable: true } }),
      { a: 1 },
    ],
    ['a Buffer', () => Buffer.from('a'), { type: 'Buffer', data: [97] }],
    ['bytes', () => new Uint8Array([1, 2]), { 0: 1, 1: 2 }],
    ['nothing', () => ({}), {}],
  ])('%s', async (_, make, replayed) => {
    const { idempotency } = testbed()
    const first = await idempotency.run<unknown>(charge, make)
    expect(first.value).toEqual(replayed)
    expect(await idempotency.run<unknown>(charge, vi.fn())).toMatchObject({ value: replayed, replayed: true })
    expect(warnings).toEqual([])
  })
})

test('two amounts of a class with private members are not one payload', async () => {
  const { idempotency } = testbed()
  const pay = (payload: unknown) => idempotency.run({ ...charge, payload }, () => 'paid')
  await expect(pay({ price: new Money(1) })).rejects.toThrow(/what a Money holds/)
  await expect(pay({ at: new Date(Number.NaN) })).rejects.toThrow(/Date is not valid/)
})

test('a request that JSON cannot hold is refused before anything is sent', async () => {
  const { idempotency, store } = testbed({ storeRequest: 'plaintext' })
  const cycle: { self?: unknown } = {}
  cycle.self = cycle
  for (const request of [{ a: 1n }, cycle, new Map([[1, 2]])]) {
    await expect(idempotency.run({ ...charge, request }, vi.fn())).rejects.toMatchObject({
      code: 'IDEMPOTENCY_INVALID_CALL',
      field: 'payload',
    })
  }
  expect(store.names).toEqual([])
})

describe('the first caller has a value of its own', () => {
  test('the handler keeps its object, and a frozen one is not given', async () => {
    const { idempotency } = testbed()
    const kept = Object.freeze({ items: Object.freeze([1]) })
    const { value } = await idempotency.run<{ items: readonly number[] }>(charge, () => kept)
    expect(value).toEqual(kept)
    expect([value === kept, value.items === kept.items]).toEqual([false, false])
    expect([Object.isFrozen(value), Object.isFrozen(value.items)]).toEqual([false, false])
  })

  test('a change by the caller reaches neither the handler nor the next key', async () => {
    const { idempotency } = testbed()
    const cached = { items: [1] }
    const first = await idempotency.run(charge, () => cached)
    first.value.items.push(2)
    expect(cached).toEqual({ items: [1] })
    expect(await idempotency.run({ ...charge, key: 'next' }, () => cached)).toMatchObject({ value: { items: [1] } })
  })

  test('a change by the handler after it returned reaches nobody', async () => {
    const { idempotency, store } = testbed()
    const live = { state: 'new' }
    store.fate = ({ name }) => {
      if (name === 'completed') live.state = 'changed'
      return 'done'
    }
    expect(await idempotency.run(charge, () => live)).toMatchObject({ value: { state: 'new' } })
    expect(await idempotency.run(charge, vi.fn())).toMatchObject({ value: { state: 'new' }, replayed: true })
  })

  test('a proxy may be revoked afterwards', async () => {
    const { idempotency } = testbed()
    const { proxy, revoke } = Proxy.revocable({ paid: true }, {})
    const { value } = await idempotency.run(charge, () => proxy)
    revoke()
    expect(value).toEqual({ paid: true })
  })

  test('an object that is in two places is two', async () => {
    const { idempotency } = testbed()
    const shared = { n: 1 }
    const { value } = await idempotency.run(charge, () => ({ one: shared, other: shared }))
    value.one.n = 2
    expect(value.other.n).toBe(1)
  })
})
