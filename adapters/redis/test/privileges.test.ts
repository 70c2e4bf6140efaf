import { createIdempotency, unscoped } from '@retryproof/core'
import { Redis } from 'ioredis'
import { beforeAll, describe, expect, test } from 'vitest'
import { startService, unavailable } from '../../../scripts/services.mjs'
import { redisStore } from '../src/index.ts'
import { type Address, addressOf, bytesOf, claim, freshPrefix, ioredis6, storeFor } from './harness.ts'

const missing = await unavailable('redis')
const needed = ['eval', 'evalsha', 'time', 'hget', 'hmget', 'hset', 'hdel', 'pexpireat']
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
    for (const command of needed) {
      await admin.acl('SETUSER', 'fading', `-${command}`)
      const error = await charge(`without ${command}`).catch((failed: unknown) => failed)
      await admin.acl('SETUSER', 'fading', `+${command}`)
      // EVAL is needed only while the server does not know the script
      if (command !== 'eval') expect(error).toMatchObject({ code: 'IDEMPOTENCY_STORE_MISCONFIGURED' })
    }
    for (const key of await admin.keys(`${prefix}*`)) expect(await admin.pttl(key)).not.toBe(-1)
    client.disconnect()
  })

  test('a record whose HDEL was refused shows nothing of its earlier life', async () => {
    const client = await connectAs('half', [...needed, ...hints])
    const store = redisStore({ client, prefix: freshPrefix() })
    await store.check()
    const first = await store.begin('key', { ...claim, leaseMs: 0, retentionMs: 1000 })
    const checkpoint = { seq: 1, data: bytesOf('old') }
    await store.transition('key', first.token, { to: 'renew', leaseMs: 0, checkpoint })
    await expect.poll(() => store.get('key'), { timeout: 5000 }).toBeNull()
    await admin.acl('SETUSER', 'half', '-hdel')
    await expect(store.begin('key', claim)).rejects.toMatchObject({ code: 'IDEMPOTENCY_STORE_MISCONFIGURED' })
    await admin.acl('SETUSER', 'half', '+hdel')
    const begun = await store.begin('key', claim)
    expect(begun).toMatchObject({ outcome: 'acquired', attempt: 1, checkpoint: null })
    // nothing is half settled either
    await store.transition('key', begun.token, { to: 'renew', leaseMs: 1000, checkpoint })
    const settle = { to: 'completed', result: bytesOf('1'), retentionMs: 60_000 } as const
    await admin.acl('SETUSER', 'half', '-hdel')
    await expect(store.transition('key', begun.token, settle)).rejects.toMatchObject({
      code: 'IDEMPOTENCY_STORE_MISCONFIGURED',
    })
    expect(await store.get('key')).toMatchObject({ state: 'in_progress' })
    await admin.acl('SETUSER', 'half', '+hdel')
    expect(await store.transition('key', begun.token, settle)).toEqual({ outcome: 'ok', applied: true })
    expect(await store.get('key')).toMatchObject({ state: 'completed', checkpoint: null })
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
