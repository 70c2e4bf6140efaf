import { IdempotencyInvalidOptionError, StoreMisconfiguredError } from '@retryproof/core'
import fc from 'fast-check'
import { Redis } from 'ioredis'
import { describe, expect, onTestFinished, test } from 'vitest'
import { service } from '../../../scripts/services.mjs'
import { toStoreError } from '../src/errors.ts'
import { type RedisClient, redisStore } from '../src/index.ts'
import { addressOf, bytesOf, claim, clusterOf, collect, freshPrefix, ioredis5, ioredis6, storeFor } from './harness.ts'

const redis = await service('redis')
const address = addressOf(redis.nodes)
const lazy = { lazyConnect: true }

describe('a client that cannot carry the store is refused at construction', () => {
  const refused: [what: string, client: unknown, why: RegExp][] = [
    ['a pipeline', new Redis(lazy).pipeline(), /pipeline/],
    ['a transaction', new Redis(lazy).multi(), /pipeline/],
    ['a connection for reads', ioredis6(address, { ...lazy, readOnly: true }), /replicas/],
    ['replicas by Sentinels', new Redis({ ...lazy, sentinels: [address], name: 'primary', role: 'slave' }), /replicas/],
    ['a monitor', ioredis6(address, { ...lazy, monitor: true }), /monitors/],
  ]
  test.each(refused)('%s', (_, client, why) => {
    const construct = () => redisStore({ client: client as RedisClient })
    expect(construct).toThrow(IdempotencyInvalidOptionError)
    expect(construct).toThrow(why)
  })

  test('an empty prefix, with which a listing would read everything', () => {
    expect(() => redisStore({ client: ioredis6(address, lazy), prefix: '' })).toThrow(/prefix/)
  })

  test('a server of version 6, by what it says of the script', () => {
    const said = "ERR Error running script: @user_script:2: attempt to call field 'acl_check_cmd' (a nil value)"
    expect(toStoreError(new Error(said), false)).toMatchObject({
      code: 'IDEMPOTENCY_STORE_MISCONFIGURED',
      message: expect.stringContaining('Redis 7.0 or later'),
    })
  })

  const durability = { replicas: 1, timeout: 100 }
  test.each([
    ['a Cluster', clusterOf([address], lazy), durability, /Cluster/],
    ['a client that sends again', new Redis(lazy), durability, /autoResend/],
    ['automatic pipelines', ioredis6(address, { ...lazy, enableAutoPipelining: true }), durability, /AutoPipelining/],
    ['no replica', ioredis6(address, lazy), { replicas: 0, timeout: 100 }, /whole number/],
    ['no end', ioredis6(address, lazy), { replicas: 1, timeout: 0 }, /durability.timeout/],
  ])('durability with %s', (_, client, asked, why) => {
    const construct = () => redisStore({ client, durability: asked })
    expect(construct).toThrow(IdempotencyInvalidOptionError)
    expect(construct).toThrow(why)
  })
})

describe.skipIf(redis.missing)('every way to configure a client answers the same', () => {
  const ways: [string, () => RedisClient & { disconnect(): void }][] = [
    ['ioredis 6 as it comes', () => new Redis(address)],
    ['ioredis 6 with RESP2', () => ioredis6(address, { protocol: 2 })],
    ['ioredis 6 with replies of RESP3', () => ioredis6(address, { replyMapping: 'resp3' })],
    ['ioredis 6 with a key prefix', () => ioredis6(address, { keyPrefix: 'everything*[of]?this:' })],
    ['ioredis 6 with numbers as text', () => ioredis6(address, { stringNumbers: true })],
    ['ioredis 6 with automatic pipelines', () => ioredis6(address, { enableAutoPipelining: true })],
    ['ioredis 6 that connects at the first call', () => ioredis6(address, lazy)],
    ['ioredis 6 with another database', () => ioredis6(address, { db: 3 })],
    ['ioredis 5 as it comes', () => ioredis5(address)],
    ['ioredis 5 with a key prefix', () => ioredis5(address, { keyPrefix: 'all:' })],
    ['ioredis 5 with numbers as text', () => ioredis5(address, { stringNumbers: true })],
    ['ioredis 5 with automatic pipelines', () => ioredis5(address, { enableAutoPipelining: true })],
  ]

  test.each(ways)('%s', async (_, connect) => {
    const store = storeFor(connect(), { now: () => 1_000_000 })
    const controller = new AbortController()
    let hear = () => {}
    const heard = new Promise<void>((resolve) => {
      hear = resolve
    })
    await store.watch('a.b.1', () => hear(), controller.signal)
    const first = await store.begin('a.b.1', { ...claim, request: bytesOf('request') })
    expect(first).toMatchObject({ outcome: 'acquired', token: 1_000_000_000, leaseRemainingMs: 60_000, request: null })
    const checkpoint = { seq: 2 ** 52, data: bytesOf('checkpoint') }
    const renewed = await store.transition('a.b.1', first.token, { to: 'renew', leaseMs: 60_001, checkpoint })
    expect(renewed).toEqual({ outcome: 'ok', applied: true })
    expect(await store.get('a.b.1')).toMatchObject({
      checkpoint,
      request: bytesOf('request'),
      leaseRemainingMs: 60_001,
    })
    const result = new Uint8Array([0, 0xff, 0xfe, 13, 10])
    await store.transition('a.b.1', first.token, { to: 'completed', result, retentionMs: 5_000 })
    expect(await store.begin('a.b.1', claim)).toMatchObject({ outcome: 'settled', result, retentionRemainingMs: 5_000 })
    expect(await store.begin('a.c.2', claim)).toMatchObject({ outcome: 'acquired' })
    const found = await collect(store.list({ namespace: 'a', operation: 'b' }))
    expect(found).toMatchObject([{ key: 'a.b.1', state: 'completed', attempt: 1, retentionRemainingMs: 5_000 }])
    await heard
    controller.abort()
  })

  test('a Cluster client that scales its reads to replicas reads from primaries all the same', {
    timeout: 60_000,
  }, async (context) => {
    const cluster = await service('redis-cluster')
    context.skip(cluster.missing !== undefined, cluster.missing)
    const store = storeFor(clusterOf(cluster.nodes, { scaleReads: 'slave' }))
    await fc.assert(
      fc.asyncProperty(fc.uuid(), async (key) => {
        const { token } = await store.begin(key, claim)
        await store.transition(key, token, { to: 'completed', result: bytesOf(key), retentionMs: 60_000 })
        expect(await store.get(key)).toMatchObject({ state: 'completed', result: bytesOf(key) })
      }),
      { numRuns: 50 },
    )
    const listed = await collect(store.list({}))
    expect(new Set(listed.map(({ key }) => key)).size).toBe(listed.length)
    expect(listed).toHaveLength(50)
  })

  test('a client that only hears subscriptions is told apart from one that has failed', async () => {
    const client = ioredis5(address)
    const store = storeFor(client)
    await client.subscribe(freshPrefix())
    await expect(store.get('a.b.1')).rejects.toThrow(StoreMisconfiguredError)
    await expect(store.get('a.b.1')).rejects.toThrow(/client of its own/)
  })

  test('a listing leaves out what is no record: an entry of a cache, a hash of an earlier version, a record that is cut short', async () => {
    const client = ioredis6(address)
    onTestFinished(() => client.disconnect())
    const prefix = freshPrefix()
    const store = redisStore({ client, prefix })
    await store.begin('a.b.1', claim)
    await client.set(`${prefix}settled:a.b.1`, 'an entry')
    await client.hset(`${prefix}a.b.2`, 'state', 'in_progress')
    await client.set(`${prefix}a.b.3`, 'R1')
    expect((await collect(store.list({}))).map(({ key }) => key)).toEqual(['a.b.1'])
    expect((await collect(store.list({ namespace: 'a', operation: 'b' }))).map(({ key }) => key)).toEqual(['a.b.1'])
    for (const key of ['a.b.2', 'a.b.3']) await expect(store.get(key)).rejects.toThrow(StoreMisconfiguredError)
  })

  test('two stores with prefixes of their own share a client, and see no record of each other', async () => {
    const client = ioredis6(address)
    onTestFinished(() => client.disconnect())
    const one = redisStore({ client, prefix: freshPrefix() })
    const other = redisStore({ client, prefix: freshPrefix() })
    await one.begin('a.b.1', claim)
    expect(await other.get('a.b.1')).toBeNull()
    expect(await collect(other.list({}))).toEqual([])
  })
})
