import { createIdempotency, unscoped } from '@retryproof/core'
import type { Change } from '@retryproof/core/store'
import { Redis } from 'ioredis'
import { beforeAll, describe, expect, test } from 'vitest'
import { startService, unavailable } from '../../../scripts/services.mjs'
import { redisStore } from '../src/index.ts'
import { type Address, addressOf, bytesOf, claim, freshPrefix, ioredis6, storeFor } from './harness.ts'

const missing = await unavailable('redis')
const needed = ['eval', 'evalsha', 'time', 'getrange', 'set', 'setrange', 'pexpireat']
const hints = ['info', 'publish', 'scan', 'subscribe']
const allow = (commands: readonly string[]) => commands.map((command) => `+${command}`)

describe.skipIf(missing)('the privileges of the user', () => {
  let address: Address
  let admin: Redis

  beforeAll(async () => {
    const server = await startService('redis')
    address = addressOf(server.nodes)
    admin = new Redis(address)
    return async () => {
      admin.disconnect()
      await server.stop()
    }
  })

  async function connectAs(name: string, commands: readonly string[], options = {}) {
    await admin.acl('SETUSER', name, 'reset', 'on', '>secret', '~*', '&*', ...allow(commands))
    return ioredis6(address, { username: name, password: 'secret', enableReadyCheck: false, ...options })
  }

  test.each(needed)('without %s the store refuses to work, at the check and at every call', async (lacking) => {
    const commands = [...needed, ...hints].filter((command) => command !== lacking)
    const store = storeFor(await connectAs(`no-${lacking}`, commands))
    const refused = { code: 'IDEMPOTENCY_STORE_MISCONFIGURED', message: expect.stringContaining('Its user needs') }
    await expect(store.check()).rejects.toMatchObject(refused)
    await expect(store.begin('key', claim)).rejects.toMatchObject(refused)
    await expect(store.get('key')).rejects.toMatchObject(refused)
  })

  test.each(hints)('without %s calls are answered all the same', async (lacking) => {
    const commands = [...needed, ...hints].filter((command) => command !== lacking)
    const store = storeFor(await connectAs(`no-${lacking}`, commands))
    await store.check()
    const { token } = await store.begin('key', claim)
    const change = { to: 'completed', result: bytesOf('1'), retentionMs: 60_000 } as const
    expect(await store.transition('key', token, change)).toEqual({ outcome: 'ok', applied: true })
  })

  test('a privilege that is taken away later: no step counts as taken that was not', async () => {
    const prefix = freshPrefix()
    const client = await connectAs('fading', [...needed, ...hints])
    const store = redisStore({ client, prefix })
    const idempotency = createIdempotency({ store, namespace: 'x', lease: '500ms', storeTimeout: '500ms' })
    let charges = 0
    const charge = (key: string) =>
      idempotency.run({ operation: 'p', scope: unscoped, key }, async (attempt) => {
        await attempt.step('charge', () => ++charges)
        return attempt.number
      })
    await charge('before')
    // EVAL is needed only while the server does not know the script, the rest only to renew, release or park
    const unused = ['eval', 'setrange', 'pexpireat']
    for (const command of needed) {
      await admin.acl('SETUSER', 'fading', `-${command}`)
      const error = await charge(`without ${command}`).catch((failed: unknown) => failed)
      await admin.acl('SETUSER', 'fading', `+${command}`)
      if (!unused.includes(command)) expect(error).toMatchObject({ code: 'IDEMPOTENCY_STORE_MISCONFIGURED' })
    }
    for (const key of await admin.keys(`${prefix}*`)) expect(await admin.pttl(key)).not.toBe(-1)
    client.disconnect()
  })

  test.each(['set', 'setrange', 'pexpireat'])('a refused %s leaves the record as it was', async (lacking) => {
    const name = `half-${lacking}`
    const client = await connectAs(name, [...needed, ...hints])
    const prefix = freshPrefix()
    const store = redisStore({ client, prefix })
    await store.check()
    const { token } = await store.begin('key', claim)
    const checkpoint = { seq: 1, data: bytesOf('one') }
    await store.transition('key', token, { to: 'renew', leaseMs: 60_000, checkpoint })
    const stored = async () => [await admin.get(`${prefix}key`), await admin.pexpiretime(`${prefix}key`)]
    const before = await stored()
    await admin.acl('SETUSER', name, `-${lacking}`)
    const refused = { code: 'IDEMPOTENCY_STORE_MISCONFIGURED', message: expect.stringContaining('Its user needs') }
    const writes: Change[] =
      lacking === 'set'
        ? [
            { to: 'completed', result: bytesOf('1'), retentionMs: 90_000 },
            { to: 'forgotten', tombstoneMs: 90_000 },
            { to: 'renew', leaseMs: 90_000, checkpoint: { seq: 2, data: bytesOf('two') } },
          ]
        : [
            { to: 'renew', leaseMs: 90_000 },
            { to: 'parked', retentionMs: 90_000 },
            { to: 'released', delayMs: 0, retentionMs: 90_000 },
          ]
    for (const change of writes) await expect(store.transition('key', token, change)).rejects.toMatchObject(refused)
    expect(await stored()).toEqual(before)
    client.disconnect()
  })

  test('a client that its application closed says so, and is not asked again', async () => {
    const client = ioredis6(address)
    const idempotency = createIdempotency({ store: redisStore({ client, prefix: freshPrefix() }), namespace: 'x' })
    const call = { operation: 'p', scope: unscoped, key: 'k' } as const
    await idempotency.run(call, () => 1)
    await client.quit()
    await expect(idempotency.run(call, () => 1)).rejects.toMatchObject({ code: 'IDEMPOTENCY_STORE_CLOSED' })
  })

  test('a policy that is changed while the store lives is found after a reconnection', async () => {
    const client = ioredis6(address, { retryStrategy: () => 10 })
    const store = redisStore({ client, prefix: freshPrefix() })
    await store.begin('key', claim)
    await admin.config('SET', 'maxmemory-policy', 'allkeys-lru')
    try {
      client.disconnect(true)
      await expect.poll(() => store.get('key').catch(({ code }) => code)).toBe('IDEMPOTENCY_STORE_MISCONFIGURED')
    } finally {
      await admin.config('SET', 'maxmemory-policy', 'noeviction')
    }
    expect(await store.get('key')).toMatchObject({ state: 'in_progress' })
    client.disconnect()
  })
})
