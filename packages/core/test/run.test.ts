/** Tests the outcomes of a call: an attempt, a replay, a conflict or a mismatch; and what that costs. */
import { describe, expect, test, vi } from 'vitest'
import { unscoped } from '../src/api/call.ts'
import { createIdempotency } from '../src/engine/create-idempotency.ts'
import {
  IdempotencyInProgressError,
  IdempotencyInvalidCallError,
  IdempotencyInvalidOptionError,
  IdempotencyKeyReusedError,
} from '../src/errors.ts'
import { charge, hold, onVirtualTime, testbed, twoProcesses } from './testbed.ts'

const { advance } = onVirtualTime()

test('a fresh call runs the handler, and costs two calls of the store', async () => {
  const { idempotency, store, told } = testbed()
  const handler = vi.fn(async () => ({ id: 'ch_1' }))

  expect(await idempotency.run(charge, handler)).toEqual({
    value: { id: 'ch_1' },
    replayed: false,
    recorded: true,
    attempt: 1,
    retentionRemainingMs: 86_400_000,
  })

  expect(handler).toHaveBeenCalledOnce()
  expect(store.names).toEqual(['begin', 'completed'])
  expect(told).toEqual(['started', 'completed'])
})

test('a replay gives the recorded value without running, and costs one', async () => {
  const { idempotency, store, told } = testbed()
  await idempotency.run(charge, () => ({ id: 'ch_1' }))
  store.names.length = 0
  told.length = 0
  const handler = vi.fn()

  expect(await idempotency.run(charge, handler)).toEqual({
    value: { id: 'ch_1' },
    replayed: true,
    recorded: true,
    attempt: 1,
    retentionRemainingMs: 86_400_000,
  })

  expect(handler).not.toHaveBeenCalled()
  expect(store.names).toEqual(['begin'])
  expect(told).toEqual(['replayed'])
})

test('a conflict is told how long to wait, and costs one', async () => {
  const [holder, other] = twoProcesses({ lease: '30s' })
  const first = await hold(holder)
  await advance(4000)

  const conflict = other.idempotency.run(charge, vi.fn())
  await expect(conflict).rejects.toThrow(IdempotencyInProgressError)
  await expect(conflict).rejects.toMatchObject({ code: 'IDEMPOTENCY_IN_PROGRESS', retryAfterMs: 26_000 })

  expect(other.store.names).toEqual(['begin'])
  expect(other.events('conflict')).toEqual([
    { namespace: 'payments', operation: 'charge', key: other.store.calls[0]?.key, retryAfterMs: 26_000 },
  ])
  first.finish('paid')
  expect(await first.outcome).toMatchObject({ value: 'paid', recorded: true })
})

test('a mismatch changes nothing, whatever stands there, and costs one', async () => {
  const bed = testbed()
  const { idempotency, store, told } = bed
  const other = { ...charge, payload: { amount: 999 } }
  const first = await hold(bed)
  await expect(idempotency.run(other, vi.fn())).rejects.toThrow(IdempotencyKeyReusedError)
  first.finish('paid')
  await first.outcome
  await expect(idempotency.run(other, vi.fn())).rejects.toMatchObject({ code: 'IDEMPOTENCY_KEY_REUSED' })

  expect(store.names).toEqual(['begin', 'begin', 'completed', 'begin'])
  expect(told).toEqual(['started', 'keyReused', 'completed', 'keyReused'])
  expect(await idempotency.run(charge, vi.fn())).toMatchObject({ value: 'paid', replayed: true })
})

test('of ten calls at once one runs, and nine are told that it does', async () => {
  const { idempotency } = testbed()
  const handler = vi.fn(async () => 'paid')
  const calls = await Promise.allSettled(Array.from({ length: 10 }, () => idempotency.run(charge, handler)))
  expect(handler).toHaveBeenCalledOnce()
  expect(calls.filter((call) => call.status === 'fulfilled')).toHaveLength(1)
  expect(
    calls.filter((call) => call.status === 'rejected' && call.reason.code === 'IDEMPOTENCY_IN_PROGRESS'),
  ).toHaveLength(9)
})

test('after its retention the key is new', async () => {
  const { idempotency } = testbed({ retention: '1h' })
  const handler = vi.fn(async () => 'paid')
  await idempotency.run(charge, handler)
  await advance(3_599_999)
  expect(await idempotency.run(charge, handler)).toMatchObject({ replayed: true })
  await advance(1)
  expect(await idempotency.run(charge, handler)).toMatchObject({ replayed: false, attempt: 1 })
  expect(handler).toHaveBeenCalledTimes(2)
})

describe('the attempt', () => {
  test('knows its number, its token, and that nothing happened before', async () => {
    const { idempotency, store } = testbed()
    const [seen] = await Promise.all([
      idempotency.run(charge, ({ number, token, interrupted }) => [number, token, interrupted]),
    ])
    const token = store.calls[1]?.token
    expect(seen.value).toEqual([1, token, false])
    expect(token).toBeGreaterThanOrEqual(Date.now() * 1000)
  })

  test('derives keys for downstream calls: the same in every attempt, others for another step, key, payload or secret', async () => {
    const { idempotency } = testbed()
    const keysOf = async (call = charge, on = idempotency) => {
      const seen: string[] = []
      const failing = on.run(call, ({ keyFor }) => {
        seen.push(keyFor('charge'), keyFor('mail'))
        throw new Error('again')
      })
      await expect(failing).rejects.toThrow('again')
      return seen
    }
    const first = await keysOf()
    expect(await keysOf()).toEqual(first)
    const others = [
      await keysOf({ ...charge, key: 'k2' }),
      await keysOf({ ...charge, operation: 'refund' }),
      await keysOf({ ...charge, scope: 'user_43' }),
      await keysOf({ ...charge, key: 'k3', payload: 1 }),
      await keysOf({ ...charge, key: 'k3' }, testbed().idempotency),
      await keysOf(charge, testbed({ secret: 'a secret of the namespace' }).idempotency),
    ]
    expect(new Set([...first, ...others.flat()]).size).toBe(14)
  })
})

describe('everybody is given what a replay gives', () => {
  test('the first caller too', async () => {
    const { idempotency } = testbed()
    const first = await idempotency.run<unknown>(charge, () => ({ at: new Date(0), gone: undefined, id: 1 }))
    const replay = await idempotency.run<unknown>(charge, vi.fn())
    expect(first.value).toStrictEqual({ at: '1970-01-01T00:00:00.000Z', id: 1 })
    expect(replay.value).toStrictEqual(first.value)
  })

  test.each([null, undefined, false, 0, '', []])('a value that is %s', async (value) => {
    const { idempotency } = testbed()
    const handler = vi.fn(() => value)
    expect((await idempotency.run<unknown>(charge, handler)).value).toStrictEqual(value)
    expect((await idempotency.run<unknown>(charge, handler)).value).toStrictEqual(value)
    expect(handler).toHaveBeenCalledOnce()
  })

  test('values that nobody else has: what one caller does to its own reaches no other', async () => {
    const { idempotency } = testbed()
    const own = { items: [1] }
    const first = await idempotency.run(charge, () => own)
    own.items.push(2)
    first.value.items.push(3)
    const second = await idempotency.run(charge, () => own)
    second.value.items.push(4)
    expect((await idempotency.run(charge, () => own)).value).toEqual({ items: [1] })
  })
})

test('a payload is what it was when the call was made', async () => {
  const { idempotency } = testbed()
  const payload = { amount: 100 }
  const first = idempotency.run({ ...charge, payload }, () => 'paid')
  payload.amount = 999
  await first
  expect(await idempotency.run(charge, vi.fn())).toMatchObject({ value: 'paid', replayed: true })
})

describe('bad calls reject before anything is sent', () => {
  test.each<[string, object, string]>([
    ['no key', { key: undefined }, 'key'],
    ['an empty key', { key: '' }, 'key'],
    ['a key of 256 characters', { key: 'k'.repeat(256) }, 'key'],
    ['no scope', { scope: undefined }, 'scope'],
    ['an empty scope', { scope: [] }, 'scope'],
    ['no operation', { operation: undefined }, 'operation'],
    ['a payload that JSON would lose', { payload: { amount: 1n } }, 'payload'],
  ])('%s', async (_, part, field) => {
    const { idempotency, store } = testbed()
    const handler = vi.fn()
    const call = idempotency.run({ ...charge, ...part }, handler)
    await expect(call).rejects.toThrow(IdempotencyInvalidCallError)
    await expect(call).rejects.toMatchObject({ field })
    expect(handler).not.toHaveBeenCalled()
    expect(store.names).toEqual([])
  })

  test('a policy out of range', async () => {
    const { idempotency, store } = testbed()
    const call = idempotency.run(charge, vi.fn(), { lease: '1ms' })
    await expect(call).rejects.toThrow(IdempotencyInvalidOptionError)
    await expect(call).rejects.toMatchObject({ option: 'lease' })
    expect(store.names).toEqual([])
  })

  test('no handler', async () => {
    const { idempotency, store } = testbed()
    const call = idempotency.run(charge, undefined as never)
    await expect(call).rejects.toThrow(/handler: must be a function/)
    expect(store.names).toEqual([])
  })
})

describe('whose key it is', () => {
  test.each<[string, object]>([
    ['another user', { scope: 'user_43' }],
    ['nobody in particular', { scope: unscoped }],
    ['another operation', { operation: 'refund' }],
    ['another key', { key: 'k2' }],
  ])('%s: another record', async (_, part) => {
    const { idempotency } = testbed()
    await idempotency.run(charge, () => 'theirs')
    expect(await idempotency.run({ ...charge, ...part }, () => 'mine')).toMatchObject({
      value: 'mine',
      replayed: false,
    })
  })

  test('another namespace: another record', async () => {
    const { store, idempotency } = testbed()
    await idempotency.run(charge, () => 'theirs')
    const other = createIdempotency({ store, namespace: 'orders' })
    expect(await other.run(charge, () => 'mine')).toMatchObject({ value: 'mine', replayed: false })
  })
})

test('events carry digests: neither scope, key nor payload is in them', async () => {
  const bed = testbed({ onFailure: 'retry' })
  const call = { operation: 'charge', scope: 'S-secret', key: 'K-secret', payload: 'P-secret' }
  await bed.idempotency.run(call, () => 'R-secret')
  await bed.idempotency.run(call, vi.fn())
  await expect(bed.idempotency.run({ ...call, payload: 'Q-secret' }, vi.fn())).rejects.toThrow(
    IdempotencyKeyReusedError,
  )
  const all = ['started', 'completed', 'replayed', 'keyReused'] as const
  const text = JSON.stringify(all.map((type) => bed.events(type)))
  expect(text).toContain('"operation":"charge"')
  expect(text).not.toContain('secret')
})

test('an unreachable store at the beginning: the handler does not run', async () => {
  const { idempotency, store, told } = testbed()
  store.fate = () => 'refused'
  const handler = vi.fn()
  const call = expect(idempotency.run(charge, handler)).rejects.toMatchObject({
    code: 'IDEMPOTENCY_STORE_UNAVAILABLE',
    applied: 'no',
  })
  await vi.runAllTimersAsync()
  await call
  expect(handler).not.toHaveBeenCalled()
  expect(new Set(told)).toEqual(new Set(['storeUnavailable']))
})
