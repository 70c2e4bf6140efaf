/** An instance that encrypts believes nothing that nobody encrypted: whoever can write to the store could have put it there. */
import { randomBytes } from 'node:crypto'
import { memoryStore } from '@retryproof/memory'
import { describe, expect, test, vi } from 'vitest'
import {
  compressed,
  createIdempotency,
  encrypted,
  type IdempotencyOptions,
  type IdempotencyStore,
  type Policies,
  unscoped,
} from '../src/index.ts'

const call = { operation: 'charge', scope: unscoped, key: 'k', payload: { amount: 1 } } as const
const keys = { a: new Uint8Array(randomBytes(32)) }
const strict = [compressed(), encrypted({ keys })]
const migrating = [compressed(), encrypted({ keys, acceptPlaintext: true })]

function setUp() {
  let now = 1_000_000
  const store: IdempotencyStore = memoryStore({ now: () => now })
  return {
    store,
    passLease: () => {
      now += 60_000
    },
    open: (codecs: IdempotencyOptions['codecs'], policies: Policies = {}) =>
      createIdempotency({
        store,
        namespace: 'n',
        secret: 'sixteen bytes of secret',
        ...(codecs && { codecs }),
        ...policies,
      }),
  }
}

const undecodable = { code: 'IDEMPOTENCY_UNDECODABLE', message: expect.stringMatching(/acceptPlaintext: true/) }

describe('what nobody encrypted', () => {
  test.each([
    ['as JSON', undefined],
    ['compressed', [compressed()]],
  ])('a result, %s, is refused, and nothing runs again', async (_, codecs) => {
    const { open } = setUp()
    await open(codecs).run(call, () => 'planted')
    const handler = vi.fn()
    await expect(open(strict).run(call, handler)).rejects.toMatchObject(undecodable)
    expect(await open(strict).inspect(call)).toMatchObject({ state: 'completed', unreadable: undecodable })
    expect(handler).not.toHaveBeenCalled()
  })

  test('a failure is refused', async () => {
    const { open } = setUp()
    const failing = open(undefined, { onFailure: 'store' }).run(call, () => Promise.reject(new Error('planted')))
    await expect(failing).rejects.toThrow('planted')
    await expect(open(strict).run(call, vi.fn())).rejects.toMatchObject(undecodable)
  })

  test('a checkpoint is refused before the handler runs', async () => {
    const { open, passLease } = setUp()
    const crashing = open(undefined)
    const stepped = new Promise<void>((resolve) => {
      void crashing.run(call, async ({ step }) => {
        await step('reserve', () => 'planted')
        resolve()
        return new Promise(() => {})
      })
    })
    await stepped
    passLease()
    const handler = vi.fn()
    await expect(open(strict).run(call, handler)).rejects.toMatchObject(undecodable)
    expect(handler).not.toHaveBeenCalled()
  })

  test('a request is not recovered', async () => {
    const { open, passLease } = setUp()
    const crashing = open(undefined, { storeRequest: 'plaintext' })
    const started = new Promise<void>((resolve) => {
      void crashing.run(call, () => {
        resolve()
        return new Promise(() => {})
      })
    })
    await started
    passLease()
    const handler = vi.fn()
    const operation = open(strict, { storeRequest: 'encrypted' }).operation('charge')
    expect(await operation.recover({ handler, authorize: () => true })).toMatchObject({
      finished: 0,
      failed: 1,
      errors: [{ error: { code: 'IDEMPOTENCY_UNDECODABLE' } }],
    })
    expect(handler).not.toHaveBeenCalled()
  })

  test('is read where the instance says so, and what it writes itself is encrypted', async () => {
    const { open } = setUp()
    await open(undefined).run(call, () => 'from before the encryption')
    expect(await open(migrating).run(call, vi.fn())).toMatchObject({
      value: 'from before the encryption',
      replayed: true,
    })
    await open(migrating).run({ ...call, key: 'new' }, () => 'after it')
    expect(await open(strict).run({ ...call, key: 'new' }, vi.fn())).toMatchObject({
      value: 'after it',
      replayed: true,
    })
  })
})

test('a header that names no codec does not open what a codec sealed', async () => {
  const { open, store } = setUp()
  await open(strict).run(call, () => 'sealed')
  for await (const { key } of store.list?.({ namespace: 'n' }) ?? []) {
    const record = await store.get(key)
    const text = Buffer.from(record?.result ?? []).toString('latin1')
    const relabelled = Buffer.from(text.replace(',gzip,aes256gcm', ''), 'latin1')
    expect(relabelled.length).toBeLessThan(text.length)
    await store.transition(key, record?.token ?? 0, { to: 'forgotten', tombstoneMs: 1000 })
    const claim = { owner: 'o', fingerprint: record?.fingerprint ?? '', leaseMs: 1000, retentionMs: 100_000 }
    const { token } = await store.begin(key, claim)
    await store.transition(key, token, { to: 'completed', result: relabelled, retentionMs: 100_000 })
  }
  for (const codecs of [strict, migrating]) {
    await expect(open(codecs).run(call, vi.fn())).rejects.toMatchObject({ code: 'IDEMPOTENCY_UNDECODABLE' })
  }
})

test('what a failing codec left says so, and no more, to an instance that encrypts too', async () => {
  const { open } = setUp()
  const failing = { ...encrypted({ keys }), encode: () => Promise.reject(new Error('no entropy')) }
  const value = await open([compressed(), failing]).run(call, () => 'done')
  expect(value).toMatchObject({ value: 'done', recorded: true })
  await expect(open(strict).run(call, vi.fn())).rejects.toMatchObject({
    code: 'IDEMPOTENCY_NOT_REPLAYABLE',
    reason: 'not-encodable',
  })
  const store = open([failing], { onFailure: 'store' })
  await expect(store.run({ ...call, key: 'f' }, () => Promise.reject(new Error('secret')))).rejects.toThrow('secret')
  await expect(open(strict).run({ ...call, key: 'f' }, vi.fn())).rejects.toMatchObject({
    code: 'IDEMPOTENCY_REPLAYED_FAILURE',
  })
})
