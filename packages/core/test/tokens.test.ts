import { memoryStore } from '@retryproof/memory'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { contentKey, createIdempotency, guardStore, StoreUnavailableError, unscoped } from '../src/index.ts'

const secret = 'sixteen bytes of secret'
const scope = ['tenant', 'user']

function open(namespace = 'n') {
  const store = memoryStore({ now: () => Date.now() })
  return createIdempotency({ store, namespace, secret }).operation('checkout', { retention: '1s' })
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'] })
})
afterEach(() => {
  vi.useRealTimers()
})

test('64 redemptions at once are one execution; afterwards its owner gets the result', async () => {
  const checkout = open()
  const token = await checkout.issueToken({ scope, expiresIn: '1h' })
  const handler = vi.fn(() => ({ order: 1 }))
  const redemptions = await Promise.allSettled(
    Array.from({ length: 64 }, () => checkout.redeem(token, { scope }, handler)),
  )
  expect(handler).toHaveBeenCalledOnce()
  expect(redemptions.filter(({ status }) => status === 'fulfilled').length).toBeGreaterThanOrEqual(1)
  expect(await checkout.redeem(token, { scope }, handler)).toMatchObject({ value: { order: 1 }, replayed: true })
})

test('who holds a token cannot name the key of its record', async () => {
  const checkout = open()
  const token = await checkout.issueToken({ scope, expiresIn: '1h' })
  const [, id] = token.split('.')
  const claimed = await checkout.run({ scope, key: `token:${id}` }, () => 'claimed')
  expect(claimed.replayed).toBe(false)
  expect(await checkout.redeem(token, { scope }, () => 'redeemed')).toMatchObject({
    value: 'redeemed',
    replayed: false,
  })
})

test('two tokens are two runs', async () => {
  const checkout = open()
  const [first, second] = [
    await checkout.issueToken({ scope, expiresIn: 1000 }),
    await checkout.issueToken({ scope, expiresIn: 1000 }),
  ]
  expect((await checkout.redeem(first, { scope }, () => 1)).value).toBe(1)
  expect((await checkout.redeem(second, { scope }, () => 2)).value).toBe(2)
})

test('a redeemed token outlives the retention, so that it never runs twice while it is good', async () => {
  const checkout = open()
  const token = await checkout.issueToken({ scope, expiresIn: '1h' })
  await checkout.redeem(token, { scope }, () => 1)
  vi.setSystemTime(Date.now() + 59 * 60_000)
  expect(await checkout.redeem(token, { scope }, () => 2)).toMatchObject({ value: 1, replayed: true })
})

test('expired: not run; but one that was redeemed in time still replays', async () => {
  const checkout = open()
  const [used, unused] = [
    await checkout.issueToken({ scope, expiresIn: '1h' }),
    await checkout.issueToken({ scope, expiresIn: '1h' }),
  ]
  await checkout.redeem(used, { scope }, () => 1)
  vi.setSystemTime(Date.now() + 3_600_000)
  const handler = vi.fn()
  await expect(checkout.redeem(unused, { scope }, handler)).rejects.toMatchObject({
    code: 'IDEMPOTENCY_INVALID_TOKEN',
    reason: 'expired',
  })
  expect(await checkout.redeem(used, { scope }, handler)).toMatchObject({ value: 1, replayed: true })
  expect(handler).not.toHaveBeenCalled()
})

describe('an expired token never runs', () => {
  const expired = { code: 'IDEMPOTENCY_INVALID_TOKEN', reason: 'expired' }

  test('where an earlier redemption failed', async () => {
    const checkout = open()
    const token = await checkout.issueToken({ scope, expiresIn: '2s' })
    await expect(checkout.redeem(token, { scope }, () => Promise.reject(new Error('down')))).rejects.toThrow('down')
    vi.setSystemTime(Date.now() + 2000)
    const handler = vi.fn()
    await expect(checkout.redeem(token, { scope }, handler)).rejects.toMatchObject(expired)
    expect(handler).not.toHaveBeenCalled()
  })

  test('where the record of an earlier redemption ends while it is redeemed', async () => {
    const memory = memoryStore({ now: () => Date.now() })
    const checkout = createIdempotency({ store: memory, namespace: 'n', secret }).operation('checkout')
    const token = await checkout.issueToken({ scope, expiresIn: '1s' })
    await checkout.redeem(token, { scope }, () => 1, { retention: '1s' })
    vi.setSystemTime(Date.now() + 50_000)
    const get = vi.spyOn(memory, 'get').mockImplementation(async () => {
      get.mockRestore()
      vi.setSystemTime(Date.now() + 3_600_000)
      return null
    })
    const handler = vi.fn()
    await expect(checkout.redeem(token, { scope }, handler)).rejects.toMatchObject(expired)
    expect(handler).not.toHaveBeenCalled()
  })

  test('where the process of an earlier redemption crashed', async () => {
    const checkout = open()
    const token = await checkout.issueToken({ scope, expiresIn: '1s' })
    await new Promise<void>((started) => {
      const crash = () => new Promise(() => started())
      checkout.redeem(token, { scope }, crash, { lease: '1s' }).catch(() => undefined)
    })
    vi.setSystemTime(Date.now() + 5000)
    await expect(checkout.redeem(token, { scope }, () => 2)).rejects.toMatchObject(expired)
  })

  test('and is told of the attempt that runs since before', async () => {
    const checkout = open()
    const token = await checkout.issueToken({ scope, expiresIn: '1s' })
    let finish = (_: number) => {}
    const first = checkout.redeem(token, { scope }, () => new Promise<number>((resolve) => (finish = resolve)))
    await new Promise((resolve) => setImmediate(resolve))
    vi.setSystemTime(Date.now() + 2000)
    const second = checkout.redeem(token, { scope }, () => 2)
    await expect(second).rejects.toMatchObject({ code: 'IDEMPOTENCY_IN_PROGRESS' })
    finish(1)
    expect((await first).value).toBe(1)
    expect(await checkout.redeem(token, { scope }, () => 2)).toMatchObject({ value: 1, replayed: true })
  })
})

test.each<[string, string, (token: string) => string]>([
  ['no token', 'malformed', () => 'nonsense'],
  ['a prolonged one', 'forged', (token) => token.replace(/\.([0-9a-z]+)\.([0-9a-f]{64})$/, '.zzzzzzzz.$2')],
  [
    'another id',
    'forged',
    (token) => token.replace(/^rp1\.[0-9a-f]/, (head) => `rp1.${head.endsWith('0') ? '1' : '0'}`),
  ],
  ['another signature', 'forged', (token) => token.slice(0, -1) + (token.endsWith('0') ? '1' : '0')],
])('%s is %s', async (_, reason, change) => {
  const checkout = open()
  const token = change(await checkout.issueToken({ scope, expiresIn: '1h' }))
  const handler = vi.fn()
  await expect(checkout.redeem(token, { scope }, handler)).rejects.toMatchObject({
    code: 'IDEMPOTENCY_INVALID_TOKEN',
    reason,
  })
  expect(handler).not.toHaveBeenCalled()
})

test('a token is good for its operation, scope and namespace only', async () => {
  const token = await open().issueToken({ scope, expiresIn: '1h' })
  const elsewhere = createIdempotency({ store: memoryStore(), namespace: 'n', secret }).operation('refund')
  const forged = { code: 'IDEMPOTENCY_INVALID_TOKEN', reason: 'forged' }
  await expect(elsewhere.redeem(token, { scope }, () => 1)).rejects.toMatchObject(forged)
  await expect(open().redeem(token, { scope: ['tenant', 'other'] }, () => 1)).rejects.toMatchObject(forged)
  await expect(open().redeem(token, { scope: unscoped }, () => 1)).rejects.toMatchObject(forged)
  await expect(open('m').redeem(token, { scope }, () => 1)).rejects.toMatchObject(forged)
})

test('tokens need a secret, and some time', async () => {
  const bare = createIdempotency({ store: memoryStore(), namespace: 'n' }).operation('checkout')
  await expect(bare.issueToken({ scope, expiresIn: '1h' })).rejects.toMatchObject({ option: 'secret' })
  await expect(bare.redeem('x', { scope }, () => 1)).rejects.toMatchObject({ option: 'secret' })
  await expect(open().issueToken({ scope, expiresIn: 0 })).rejects.toMatchObject({ option: 'expiresIn' })
})

test('content keys: the same content within the window is one write, whatever the order of its fields', async () => {
  const store = memoryStore({ now: () => Date.now() })
  const idempotency = createIdempotency({ store, namespace: 'n' })
  const send = async (fields: object, value: number) => {
    const { key, retention } = await contentKey(fields, { window: '10m' })
    return (await idempotency.run({ operation: 'mail', scope: unscoped, key }, () => value, { retention })).value
  }
  expect(await send({ to: 'a', subject: 'b' }, 1)).toBe(1)
  vi.setSystemTime(Date.now() + 9 * 60_000)
  expect(await send({ subject: 'b', to: 'a' }, 2)).toBe(1)
  expect(await send({ to: 'a', subject: 'c' }, 3)).toBe(3)
  vi.setSystemTime(Date.now() + 60_000)
  expect(await send({ to: 'a', subject: 'b' }, 4)).toBe(4)
})

test.each([0, '0s', 999, -1])('a window of %s is refused', async (window) => {
  await expect(contentKey({ a: 1 }, { window: window as number })).rejects.toMatchObject({ option: 'window' })
})

test('guardStore: a call that the breaker refuses was not sent, and its errors stay what they are', async () => {
  const memory = memoryStore()
  const begin = vi.fn(memory.begin)
  let isOpen = false
  const breaker = <T>(call: () => Promise<T>): Promise<T> =>
    isOpen ? Promise.reject(new Error('circuit is open')) : call()
  const store = guardStore({ ...memory, begin }, breaker)
  const claim = { owner: 'o', fingerprint: 'f', leaseMs: 10, retentionMs: 10 }
  expect((await store.begin('k', claim)).outcome).toBe('acquired')
  isOpen = true
  await expect(store.begin('k', claim)).rejects.toMatchObject({ code: 'IDEMPOTENCY_STORE_UNAVAILABLE', applied: 'no' })
  expect(begin).toHaveBeenCalledOnce()
  isOpen = false
  begin.mockRejectedValueOnce(new StoreUnavailableError('cut', { applied: 'unknown' }))
  await expect(store.begin('k', claim)).rejects.toMatchObject({ message: 'cut', applied: 'unknown' })
})
