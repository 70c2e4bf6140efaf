/**
 * Defects of other libraries, by the ids under which they were catalogued: each was reproduced there, and must not be
 * here. Each test does what reproduced it, on the engine.
 */
import { memoryStore } from '@retryproof/memory'
import { expect, test, vi } from 'vitest'
import { unreplayable } from '../src/api/handler-results.ts'
import type { Serializer } from '../src/api/serialization.ts'
import { createIdempotency } from '../src/engine/create-idempotency.ts'
import {
  IdempotencyInProgressError,
  IdempotencyKeyReusedError,
  IdempotencyLeaseLostError,
  StoreUnavailableError,
} from '../src/errors.ts'
import { interposed } from './interposed-store.ts'
import { charge, hold, onVirtualTime, testbed, twoProcesses } from './testbed.ts'

const { advance } = onVirtualTime()

/** A process that took the key, and then died: nothing of it reaches the store any more. */
async function crashedHolder(lease: '30s') {
  const [dead, other] = twoProcesses({ lease, retention: '24h' })
  await hold(dead)
  dead.store.fate = () => 'never done'
  return other
}

test.each(['IDJ 3', 'NI 7', 'UI 2'])(
  '%s: after a crash the key is free at the end of its lease, not of its retention',
  async () => {
    const other = await crashedHolder('30s')
    await advance(29_999)
    await expect(other.idempotency.run(charge, vi.fn())).rejects.toMatchObject({
      code: 'IDEMPOTENCY_IN_PROGRESS',
      retryAfterMs: 1,
    })
    await advance(1)
    expect(await other.idempotency.run(charge, () => 'paid')).toMatchObject({ value: 'paid', attempt: 2 })
  },
)

test('IDJ 4: an owner whose lease is over does not overwrite its successor', async () => {
  const [stale, successor] = twoProcesses({ lease: '3s' })
  const held = await hold(stale)
  stale.store.fate = () => 'refused'
  await advance(3000)
  await successor.idempotency.run(charge, () => 'of the successor')
  stale.store.fate = () => 'done'
  held.finish('of the stale owner')
  expect(await held.outcome).toMatchObject({ value: 'of the successor', replayed: true })
  expect(await successor.idempotency.run(charge, vi.fn())).toMatchObject({ value: 'of the successor' })
})

test('IDJ 5: a claim whose answer was lost is the caller’s own when it is sent again', async () => {
  const { idempotency, store } = testbed()
  store.next('begin', 'reply lost')
  const handler = vi.fn(async () => 'paid')
  const outcome = idempotency.run(charge, handler)
  await advance(1000)
  expect(await outcome).toMatchObject({ value: 'paid', recorded: true, attempt: 1 })
  expect(handler).toHaveBeenCalledOnce()
})

test('IDJ 8: a failure is not replayed for a day, unless it is said that it should be', async () => {
  const { idempotency } = testbed()
  await expect(idempotency.run(charge, () => Promise.reject(new Error('503')))).rejects.toThrow('503')
  expect(await idempotency.run(charge, () => 'paid')).toMatchObject({ value: 'paid', replayed: false })

  const other = { ...charge, key: 'k2' }
  const stored = { onFailure: 'store' } as const
  await expect(idempotency.run(other, () => Promise.reject(new Error('declined')), stored)).rejects.toThrow('declined')
  await expect(idempotency.run(other, vi.fn(), stored)).rejects.toThrow('declined')
})

test('NI 4: a save that fails is no unhandled rejection', async () => {
  const unhandled = vi.fn()
  process.on('unhandledRejection', unhandled)
  const { idempotency, store } = testbed({ maxRun: '1m' })
  store.fate = ({ name }) => (name === 'begin' ? 'done' : 'driver error')
  const outcomes = [
    idempotency.run(charge, () => 'paid'),
    idempotency.run({ ...charge, key: 'k2' }, () => Promise.reject(new Error('no'))).catch(() => 'failed'),
    idempotency
      .run({ ...charge, key: 'k3' }, () => Promise.reject(new Error('no')), { onFailure: 'store' })
      .catch(() => 'failed'),
  ]
  await advance(120_000)
  await Promise.all(outcomes)
  vi.useRealTimers()
  // rejections that nobody handles are told after the microtasks of this turn
  await new Promise((resolve) => setImmediate(resolve))
  process.off('unhandledRejection', unhandled)
  expect(unhandled).not.toHaveBeenCalled()
})

test('PT 1: overlapping calls run once, with no deadline given from outside', async () => {
  const [one, other] = twoProcesses()
  const handler = vi.fn(async () => {
    await advance(100)
    return 'paid'
  })
  const outcomes = await Promise.allSettled([
    one.idempotency.run(charge, handler),
    other.idempotency.run(charge, handler),
  ])
  expect(handler).toHaveBeenCalledOnce()
  expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
})

test('PT 5: operations and instances that share a store do not get into each other', async () => {
  const store = interposed(memoryStore({ now: () => Date.now() }))
  const payments = createIdempotency({ store, namespace: 'payments' })
  const orders = createIdempotency({ store, namespace: 'orders' })
  const callers = [payments, orders].flatMap((instance) =>
    ['charge', 'refund'].map((name) => ({
      operation: instance.operation(name),
      value: `${instance.namespace} ${name}`,
    })),
  )
  const call = { scope: 'u', key: 'k' }
  // all of them are under way at once, and end in another order than they began
  await Promise.all(
    callers.map(({ operation, value }, i) =>
      operation.run(call, async () => {
        await advance(100 - 10 * i)
        return value
      }),
    ),
  )
  for (const { operation, value } of callers) {
    expect(await operation.run(call, vi.fn())).toMatchObject({ value, replayed: true })
  }
})

test('PT 6: the late failure of an owner that lost its lease removes nothing', async () => {
  const [stale, successor] = twoProcesses({ lease: '3s' })
  const held = await hold(stale)
  stale.store.fate = () => 'refused'
  await advance(3000)
  const handler = vi.fn(async () => 'paid')
  await successor.idempotency.run(charge, handler)
  stale.store.fate = () => 'done'
  held.fail(new Error('timed out'))
  await held.outcome.catch(() => undefined)
  expect(await successor.idempotency.run(charge, handler)).toMatchObject({ value: 'paid', replayed: true })
  expect(handler).toHaveBeenCalledOnce()
})

test.each<[string, object]>([
  ['scope', { scope: [undefined, undefined] }],
  ['scope', { scope: ['user_42', null] }],
  ['scope', { scope: undefined }],
  ['key', { key: undefined }],
  ['key', { key: null }],
  ['key', { key: '' }],
])('PT 7: a %s that is missing is refused: %o', async (field, part) => {
  const { idempotency, store } = testbed()
  const handler = vi.fn()
  await expect(idempotency.run({ ...charge, ...part }, handler)).rejects.toMatchObject({
    code: 'IDEMPOTENCY_INVALID_CALL',
    field,
  })
  expect(handler).not.toHaveBeenCalled()
  expect(store.names).toEqual([])
})

test.each([
  new StoreUnavailableError('nested', { applied: 'unknown' }),
  new IdempotencyInProgressError(5),
  new IdempotencyLeaseLostError('nested'),
  new IdempotencyKeyReusedError(),
])(
  'PT 8: a handler that throws an error of this library ($name), as a nested call does, is not run again for that',
  async (error) => {
    const { idempotency } = testbed()
    const handler = vi.fn(() => Promise.reject(error))
    await expect(idempotency.run(charge, handler)).rejects.toBe(error)
    expect(handler).toHaveBeenCalledOnce()
  },
)

test('PT 10: names that differ in case only are put in one order', async () => {
  const { idempotency } = testbed()
  await idempotency.run({ ...charge, payload: { a: 1, A: 2, b: { z: 1, Z: 2 } } }, () => 'paid')
  const again = idempotency.run({ ...charge, payload: { b: { Z: 2, z: 1 }, A: 2, a: 1 } }, vi.fn())
  expect(await again).toMatchObject({ value: 'paid', replayed: true })
})

test('PT 11: what a caller does to its value reaches no replay', async () => {
  const { idempotency } = testbed()
  const first = await idempotency.run(charge, () => ({ items: ['a'] }))
  first.value.items.push('leak')
  const second = await idempotency.run(charge, () => ({ items: [''] }))
  second.value.items.push('leak')
  expect((await idempotency.run(charge, () => ({ items: [''] }))).value).toEqual({ items: ['a'] })
})

test('PT 13: a release that fails does not hide the error of the handler', async () => {
  const { idempotency, store } = testbed({ storeTimeout: '1s' })
  store.fate = ({ name }) => (name === 'released' ? 'driver error' : 'done')
  const error = new Error('of the handler')
  const rejected = expect(idempotency.run(charge, () => Promise.reject(error))).rejects.toBe(error)
  await advance(2000)
  await rejected
})

test('NA 1: a lease is short, and a handler that takes longer is renewed rather than run twice', async () => {
  const [holder, other] = twoProcesses({ lease: '3s', retention: '24h' })
  const held = await hold(holder)
  const handler = vi.fn()
  for (let second = 0; second < 30; second++) {
    await advance(1000)
    await expect(other.idempotency.run(charge, handler)).rejects.toMatchObject({ code: 'IDEMPOTENCY_IN_PROGRESS' })
  }
  held.finish('paid')
  expect(await held.outcome).toMatchObject({ value: 'paid', attempt: 1 })
  expect(handler).not.toHaveBeenCalled()
})

test('NA 2: bob is not given what alice got, with the same key and payload', async () => {
  const { idempotency } = testbed()
  await idempotency.run({ ...charge, scope: 'alice' }, () => 'of alice')
  expect(await idempotency.run({ ...charge, scope: 'bob' }, () => 'of bob')).toMatchObject({ value: 'of bob' })
})

test.each<[string, () => unknown]>([
  ['a BigInt', () => 1n],
  ['a stream', () => unreplayable(new ReadableStream())],
  [
    'a cycle',
    () => {
      const loop: unknown[] = []
      loop.push(loop)
      return loop
    },
  ],
])('NA 3: a result that cannot be kept (%s) is not run again', async (_, result) => {
  const { idempotency } = testbed()
  const handler = vi.fn(result)
  expect(await idempotency.run<unknown>(charge, handler)).toMatchObject({ recorded: true })
  await expect(idempotency.run<unknown>(charge, handler)).rejects.toMatchObject({ code: 'IDEMPOTENCY_NOT_REPLAYABLE' })
  expect(handler).toHaveBeenCalledOnce()
})

test('NA 4: a settling that fails once is sent again, and blocks nothing', async () => {
  const { idempotency, store } = testbed()
  store.next('completed', 'driver error')
  const outcome = idempotency.run(charge, () => 'paid')
  await advance(1000)
  expect(await outcome).toMatchObject({ recorded: true })
  expect(await idempotency.run(charge, vi.fn())).toMatchObject({ value: 'paid', replayed: true })
})

test('HI 6: a settling that fails for long turns no success into an error, and is made up for', async () => {
  const { idempotency, store } = testbed({ settleTimeout: '15s' })
  store.fate = ({ name }) => (name === 'completed' ? 'driver error' : 'done')
  const outcome = idempotency.run(charge, () => 'paid')
  await advance(15_000)
  expect(await outcome).toMatchObject({ value: 'paid', recorded: false })
  store.fate = () => 'done'
  await advance(3000)
  const handler = vi.fn()
  expect(await idempotency.run(charge, handler)).toMatchObject({ value: 'paid', replayed: true })
  expect(handler).not.toHaveBeenCalled()
})

test('EI 3: of five calls at once, one runs', async () => {
  const [one, other] = twoProcesses()
  const handler = vi.fn(async () => 'paid')
  await Promise.allSettled([one, other, one, other, one].map(({ idempotency }) => idempotency.run(charge, handler)))
  expect(handler).toHaveBeenCalledOnce()
})

test('IR 4: another payload under a key is noticed', async () => {
  const { idempotency } = testbed()
  await idempotency.run(charge, () => 'paid')
  await expect(idempotency.run({ ...charge, payload: { amount: 999 } }, vi.fn())).rejects.toMatchObject({
    code: 'IDEMPOTENCY_KEY_REUSED',
  })
})

test('IR 4: no character of a namespace, operation, scope or key makes it collide with another', async () => {
  const store = interposed(memoryStore({ now: () => Date.now() }))
  const parts: [namespace: string, operation: string, scope: string | string[], key: string][] = [
    ['a:b', 'c', 'd', 'e'],
    ['a', 'b:c', 'd', 'e'],
    ['a', 'b', 'c:d', 'e'],
    ['a', 'b', ['c', 'd'], 'e'],
    ['a', 'b', 'c', 'd:e'],
    ['a', 'b', ['c', 'd', 'e'], 'f'],
    ['a', 'b', 'c\0d', 'e'],
    ['a', 'b', ['c'], 'd\0e'],
  ]
  for (const [namespace, operation, scope, key] of parts) {
    const run = createIdempotency({ store, namespace }).run({ operation, scope, key }, () => 'new')
    expect(await run).toMatchObject({ replayed: false })
  }
  expect(new Set(store.calls.map((call) => call.key)).size).toBe(parts.length)
})

test('IR 5: a serializer that makes nothing of a value gives that value again', async () => {
  const marks: Serializer = {
    id: 'marks',
    serialize: (value) => new TextEncoder().encode(value === 'nothing to say' ? '' : String(value)),
    deserialize: (bytes) => new TextDecoder().decode(bytes) || 'nothing to say',
  }
  const { idempotency } = testbed({ serializer: marks })
  await idempotency.run(charge, () => 'nothing to say')
  expect(await idempotency.run(charge, vi.fn())).toMatchObject({ value: 'nothing to say', replayed: true })

  const plain = testbed()
  await plain.idempotency.run(charge, () => '')
  expect(await plain.idempotency.run(charge, vi.fn())).toMatchObject({ value: '', replayed: true })
})

test('arun0009: a waiter that gives up leaves the claim of the holder alone', async () => {
  const [holder, waiter] = twoProcesses()
  const held = await hold(holder)
  const waiting = waiter.idempotency.run(charge, vi.fn(), { onInProgress: { wait: '2s' } })
  const rejected = expect(waiting).rejects.toMatchObject({ code: 'IDEMPOTENCY_IN_PROGRESS' })
  await advance(2000)
  await rejected
  expect(await waiter.idempotency.inspect(charge)).toMatchObject({ state: 'in_progress', token: held.attempt.token })
  const handler = vi.fn()
  await expect(waiter.idempotency.run(charge, handler)).rejects.toMatchObject({ code: 'IDEMPOTENCY_IN_PROGRESS' })
  held.finish('paid')
  expect(await held.outcome).toMatchObject({ value: 'paid', recorded: true })
  expect(handler).not.toHaveBeenCalled()
})

test('IR 2: a handler that goes on after its lease is gone, and ignores the signal, records nothing over its successor', async () => {
  const [stale, successor] = twoProcesses({ lease: '3s' })
  const held = await hold(stale)
  stale.store.fate = () => 'refused'
  await advance(3000)
  stale.store.fate = () => 'done'
  await successor.idempotency.run(charge, () => 'of the successor')
  const record = await successor.idempotency.inspect(charge)
  held.finish('of the stale owner')
  await held.outcome
  expect(await successor.idempotency.inspect(charge)).toEqual(record)
})

test('idempotency4j: the heartbeat of an owner that was taken over does not prolong its successor’s lease', async () => {
  let now = 1_000_000
  const store = memoryStore({ now: () => now })
  const claim = (owner: string) => ({ owner, fingerprint: 'f', leaseMs: 1000, retentionMs: 60_000 })
  const zombie = await store.begin('k', claim('zombie'))
  now += 1000
  const successor = await store.begin('k', claim('successor'))
  expect(successor.outcome).toBe('acquired')
  now += 600
  const renewal = await store.transition('k', zombie.token, { to: 'renew', leaseMs: 60_000 })
  expect(renewal).toMatchObject({ outcome: 'lost', current: { token: successor.token, leaseRemainingMs: 400 } })
  expect(await store.get('k')).toMatchObject({ token: successor.token, leaseRemainingMs: 400 })
})
