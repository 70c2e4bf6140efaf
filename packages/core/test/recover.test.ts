import { memoryStore } from '@retryproof/memory'
import { describe, expect, test, vi } from 'vitest'
import {
  createIdempotency,
  IdempotencyDrainingError,
  IdempotencyInProgressError,
  IdempotencyOutcomeUnknownError,
  type KeptCall,
  type Policies,
  unscoped,
} from '../src/index.ts'
import { wrapStore } from '../src/store.ts'

const policies = { lease: '1s', storeRequest: 'plaintext' } as const

function setUp(nearer: Policies = {}) {
  let now = 1_000_000
  const store = memoryStore({ now: () => now })
  const open = () => createIdempotency({ store, namespace: 'n' })
  return {
    charge: open().operation('charge', { ...policies, ...nearer }),
    /** Begins `calls` in a process that dies, and lets their leases go by. */
    async crash(calls: readonly Omit<KeptCall, 'operation'>[], operation = 'charge') {
      const dead = open()
      for (const call of calls) {
        const begun = new Promise<void>((resolve) => dead.on('started', () => resolve()))
        void dead
          .operation(operation, { ...policies, ...nearer })
          .run(call, () => new Promise(() => {}))
          .catch(() => {})
        await begun
      }
      await dead.drain({ timeout: 0 })
      now += 2000
    },
  }
}

const authorize = () => true

test.each([
  ['nothing', undefined],
  ['JSON', { amount: 1, tags: ['a'] }],
  ['text', 'ünï'],
  ['bytes', new Uint8Array([0, 255, 128])],
])('%s that was asked comes back to the handler, and the client finds the result', async (_, payload) => {
  const { charge, crash } = setUp()
  const call = { scope: ['tenant', 'user'], key: 'k', payload }
  await crash([call])
  const handler = vi.fn((kept: KeptCall) => ({ done: kept.key }))
  expect(await charge.recover({ handler, authorize })).toEqual({
    finished: 1,
    failed: 0,
    parked: 0,
    skipped: 0,
    errors: [],
  })
  expect(handler).toHaveBeenCalledWith(
    { operation: 'charge', ...call },
    expect.objectContaining({ number: 2, interrupted: true }),
  )
  const retried = await charge.run(call, () => ({ done: 'again' }))
  expect(retried).toMatchObject({ value: { done: 'k' }, replayed: true })
})

test('a request that was given beside the payload is what is kept', async () => {
  const { charge, crash } = setUp()
  const call = { scope: unscoped, key: 'k', payload: { amount: 1 }, request: { url: '/charges', amount: 1 } } as const
  await crash([call])
  const handler = vi.fn((kept: KeptCall) => kept.payload)
  expect(await charge.recover({ handler, authorize })).toMatchObject({ finished: 1 })
  expect(handler.mock.calls[0]?.[0].payload).toEqual(call.request)
  expect(await charge.run(call, vi.fn())).toMatchObject({ replayed: true })
})

test('500 crashed calls are finished once each, also by two recoverers at once', async () => {
  const { charge, crash } = setUp()
  await crash(Array.from({ length: 500 }, (_, index) => ({ scope: unscoped, key: `k${index}`, payload: index })))
  const done: unknown[] = []
  const handler = ({ payload }: KeptCall) => {
    done.push(payload)
    return 'done'
  }
  const recoveries = await Promise.all([1, 2].map(() => charge.recover({ handler, authorize })))
  expect(recoveries[0]?.finished).toBeGreaterThan(0)
  expect(done.toSorted((a, b) => Number(a) - Number(b))).toEqual(Array.from({ length: 500 }, (_, index) => index))
})

test('whoever may no longer do this is parked, and nothing runs', async () => {
  const { charge, crash } = setUp()
  await crash([{ scope: 'revoked', key: 'k', payload: 1 }])
  const handler = vi.fn()
  const recovery = await charge.recover({ handler, authorize: ({ scope }) => !String(scope).includes('revoked') })
  expect(recovery).toMatchObject({ parked: 1, finished: 0 })
  expect(handler).not.toHaveBeenCalled()
  expect(await charge.inspect({ scope: 'revoked', key: 'k' })).toMatchObject({ state: 'parked' })
})

test('what runs, is settled, or belongs to another operation is left alone', async () => {
  const { charge, crash } = setUp()
  await charge.run({ scope: unscoped, key: 'settled' }, () => 1)
  // reads alike in the store, and is another operation
  await crash([{ scope: unscoped, key: 'other', payload: 1 }], 'Charge!')
  const running = new Promise<void>((resolve) => {
    void charge.run({ scope: unscoped, key: 'running' }, () => new Promise(() => resolve()))
  })
  await running
  const handler = vi.fn()
  expect(await charge.recover({ handler, authorize })).toEqual({
    finished: 0,
    failed: 0,
    parked: 0,
    skipped: 1,
    errors: [],
  })
  expect(handler).not.toHaveBeenCalled()
})

test('a failure of the handler is counted, and follows the failure policy', async () => {
  const { charge, crash } = setUp()
  await crash([{ scope: unscoped, key: 'k', payload: 1 }])
  const failing = () => Promise.reject(new Error('still down'))
  expect(await charge.recover({ handler: failing, authorize })).toMatchObject({ failed: 1 })
  expect(await charge.recover({ handler: () => 'done', authorize })).toMatchObject({ finished: 1 })
})

test('an operation that parks its interrupted calls has them parked', async () => {
  const { charge, crash } = setUp({ onTakeover: 'park' })
  await crash([{ scope: unscoped, key: 'k', payload: 1 }])
  expect(await charge.recover({ handler: () => 'done', authorize })).toMatchObject({ parked: 1 })
})

test('recovering needs kept requests, and keeping them needs encryption or a plain word', async () => {
  const idempotency = createIdempotency({ store: memoryStore(), namespace: 'n' })
  const recovery = idempotency.operation('charge').recover({ handler: () => 1, authorize })
  await expect(recovery).rejects.toMatchObject({ option: 'storeRequest' })
  expect(() => idempotency.operation('charge', { storeRequest: 'encrypted' })).toThrow(/encrypts/)
})

test('a request that the store has no room for is refused before anything runs', async () => {
  const { begin, transition, get, capabilities } = memoryStore()
  const store = { begin, transition, get, capabilities: { ...capabilities, maxValueBytes: 100 } }
  const handler = vi.fn()
  const call = { operation: 'charge', scope: unscoped, key: 'k', payload: 'x'.repeat(200) } as const
  const running = createIdempotency({ store, namespace: 'n', storeRequest: 'plaintext' }).run(call, handler)
  await expect(running).rejects.toMatchObject({ code: 'IDEMPOTENCY_INVALID_CALL', field: 'payload' })
  expect(handler).not.toHaveBeenCalled()
})

test('what another recoverer is at work on is skipped, and has not failed', async () => {
  const { charge, crash } = setUp()
  await crash([{ scope: unscoped, key: 'k', payload: 1 }])
  let finish: (value: string) => void = () => {}
  const handler = vi.fn(() => new Promise<string>((resolve) => (finish = resolve)))
  const [one, other] = [charge.recover({ handler, authorize }), charge.recover({ handler, authorize })]
  await vi.waitFor(() => expect(handler).toHaveBeenCalledOnce())
  expect(await Promise.race([one, other])).toEqual({ finished: 0, failed: 0, parked: 0, skipped: 1, errors: [] })
  finish('done')
  const both = await Promise.all([one, other])
  expect(both.map(({ finished }) => finished).sort()).toEqual([0, 1])
})

test('a thousand records that fail each time keep no other from its turn', async () => {
  const { charge, crash } = setUp()
  const fails = Array.from({ length: 1000 }, (_, index) => ({ scope: 'a', key: `fails${index}` }))
  await crash([...fails, { scope: 'a', key: 'good' }])
  const handler = vi.fn(({ key }: KeptCall) => {
    if (key !== 'good') throw new Error('declined')
    return 'done'
  })
  const { errors, ...counts } = await charge.recover({ handler, authorize, limit: 10 })
  expect(counts).toEqual({ finished: 1, failed: 1000, parked: 0, skipped: 0 })
  expect(errors).toHaveLength(100)
})

test('errors are returned and emitted, and an `authorize` that throws ends no pass', async () => {
  let now = 1_000_000
  const idempotency = createIdempotency({ store: memoryStore({ now: () => now }), namespace: 'n' })
  const orders = idempotency.operation('order', policies)
  for (const scope of ['deleted user', 'ann']) {
    await orders.run({ scope, key: 'k' }, () => Promise.reject(new Error('crashed'))).catch(() => {})
  }
  now += 2000
  const emitted = vi.fn()
  idempotency.on('recoveryFailed', emitted)
  const error = new Error('No such user.')
  const recovery = await orders.recover({
    authorize: ({ scope }) => (scope.toString() === 'deleted user' ? Promise.reject(error) : true),
    handler: () => 'done',
  })
  expect(recovery).toMatchObject({ finished: 1, failed: 1, errors: [{ error }] })
  expect(emitted).toHaveBeenCalledExactlyOnceWith(expect.objectContaining({ operation: 'order', error }))
})

describe('an error of a nested call is one of the handler', () => {
  const nested = [
    new IdempotencyOutcomeUnknownError(),
    new IdempotencyInProgressError(1000),
    new IdempotencyDrainingError(),
  ]
  test.each(nested)('$code', async (error) => {
    const fail = () => Promise.reject(error)
    for (const options of [
      { handler: fail, authorize },
      { handler: () => 'never', authorize: fail },
    ]) {
      const { charge, crash } = setUp()
      await crash([{ scope: unscoped, key: 'k', payload: 1 }])
      expect(await charge.recover(options)).toMatchObject({ failed: 1, parked: 0, skipped: 0, errors: [{ error }] })
    }
  })
})

test('a request that was changed in the store is not run', async () => {
  let now = 1_000_000
  const store = memoryStore({ now: () => now })
  const changed = wrapStore(store, {
    async get(key) {
      const record = await store.get(key)
      if (!record?.request) return record
      const text = new TextDecoder().decode(record.request).replace('\\"amount\\":1}', '\\"amount\\":1000}')
      return { ...record, request: new TextEncoder().encode(text) }
    },
  })
  const secret = 'a secret of at least 16 bytes'
  const pay = createIdempotency({ store: changed, namespace: 'n', secret }).operation('pay', policies)
  const call = { scope: 'a', key: 'k', payload: { amount: 1 } }
  await pay.run(call, () => Promise.reject(new Error('crashed'))).catch(() => {})
  now += 2000
  const handler = vi.fn()
  const recovery = await pay.recover({ authorize, handler })
  expect(handler).not.toHaveBeenCalled()
  expect(recovery).toMatchObject({ failed: 1, errors: [{ error: { code: 'IDEMPOTENCY_UNDECODABLE' } }] })
})

test('a call that is refused leaves no timer', async () => {
  const { charge, crash } = setUp()
  await crash([{ scope: 'a', key: 'k' }])
  vi.useFakeTimers()
  try {
    expect(await charge.recover({ handler: vi.fn(), authorize: () => false })).toMatchObject({ parked: 1 })
    expect(vi.getTimerCount()).toBe(0)
  } finally {
    vi.useRealTimers()
  }
})
