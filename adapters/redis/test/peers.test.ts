/** Defects that other libraries have in this place. The ids are theirs: IDJ idempot-js, HI hono-idempotency, PT Powertools, IR idempotency-redis. */
import { IdempotencyInvalidOptionError } from '@retryproof/core'
import { Redis as Upstash } from '@upstash/redis'
import { createClient, createCluster } from 'redis'
import { describe, expect, onTestFinished, test } from 'vitest'
import { service, startService, unavailable } from '../../../scripts/services.mjs'
import { type RedisClient, redisStore } from '../src/index.ts'
import { addressOf, bytesOf, claim, clients, clusterOf, freshPrefix, ioredis6, storeFor } from './harness.ts'

const redis = await service('redis')
const cluster = await service('redis-cluster')
const cannotStart = await unavailable('redis')
const address = addressOf(redis.nodes)
const result = bytesOf('result')
const settle = { to: 'completed', result, retentionMs: 60_000 } as const

describe.skipIf(redis.missing)('what peers get wrong on Redis', () => {
  describe('HI 1, PT 4: a client whose options have another shape locks nothing, and nobody is told', () => {
    test.each([
      ['node-redis', createClient(), /node-redis/],
      ['a cluster of node-redis', createCluster({ rootNodes: [] }), /node-redis/],
      ['Upstash', new Upstash({ url: 'https://localhost', token: 'token' }), /Upstash/],
      [
        'a client of which only get and set are known',
        { get: async () => null, set: async () => 'OK' },
        /got an object of Object/,
      ],
    ])('%s is refused at construction', (_, client, why) => {
      const construct = () => redisStore({ client: client as unknown as RedisClient })
      expect(construct).toThrow(IdempotencyInvalidOptionError)
      expect(construct).toThrow(why)
    })

    test.each(clients)('%s holds the key, and the key has an end', async (_, connect) => {
      const prefix = freshPrefix()
      const client = connect(address)
      const store = storeFor(client, { prefix })
      expect(await store.begin('key', claim)).toMatchObject({ outcome: 'acquired' })
      expect(await store.begin('key', { ...claim, owner: 'other' })).toMatchObject({ outcome: 'in_progress' })
      expect(await client.pttl(`${prefix}key`)).toBeGreaterThan(0)
    })
  })

  test('IDJ 12: a record is one key, under the prefix, and whoever loses writes nothing', async () => {
    const prefix = freshPrefix()
    const client = ioredis6(address)
    const store = storeFor(client, { prefix })
    const { token } = await store.begin('key', { ...claim, request: bytesOf('request') })
    const before = [await client.dump(`${prefix}key`), await client.pexpiretime(`${prefix}key`)]
    await store.begin('key', { ...claim, owner: 'late' })
    await store.begin('key', { ...claim, owner: 'other', fingerprint: 'other' })
    await store.transition('key', token - 1, settle)
    expect([await client.dump(`${prefix}key`), await client.pexpiretime(`${prefix}key`)]).toEqual(before)
    await store.transition('key', token, settle)
    expect(await client.keys(`*${prefix.slice(0, -1)}*`)).toEqual([`${prefix}key`])
  })

  test.skipIf(cluster.missing)('IDJ 12: a result is settled in one step, on whatever server of a Cluster', async () => {
    const store = storeFor(clusterOf(cluster.nodes))
    for (let i = 0; i < 50; i++) {
      const { token } = await store.begin(`key-${i}`, claim)
      // read and write in several steps, one of these would be lost
      const changes = [settle, { to: 'renew', leaseMs: 90_000 }, { to: 'failed', result, retentionMs: 1_000 }] as const
      const replies = await Promise.all(changes.map((change) => store.transition(`key-${i}`, token, change)))
      const settled = replies.filter((reply, index) => index !== 1 && reply.outcome === 'ok')
      expect(settled).toHaveLength(1)
    }
  })

  test('PT 3: whoever recovers a silent attempt never overwrites one that came back', async () => {
    const prefix = freshPrefix()
    const stores = Array.from({ length: 8 }, () => storeFor(ioredis6(address), { prefix }))
    let recovered = 0
    for (let round = 0; round < 60; round++) {
      const key = `key-${round}`
      const [holder, ...others] = stores
      const { token } = (await holder?.begin(key, { ...claim, leaseMs: 0 })) ?? { token: 0 }
      const begins = others.map((store, i) => store.begin(key, { ...claim, owner: `other-${i}` }))
      begins.splice(round % 8, 0)
      const [late, ...replies] = await Promise.all([holder?.transition(key, token, settle), ...begins])
      const acquired = replies.filter(({ outcome }) => outcome === 'acquired')
      expect(acquired.length).toBe(late?.outcome === 'ok' ? 0 : 1)
      recovered += acquired.length
      const state = late?.outcome === 'ok' ? { state: 'completed', token } : { state: 'in_progress', attempt: 2 }
      expect(await holder?.get(key)).toMatchObject(state)
    }
    expect(recovered).toBeLessThanOrEqual(60)
  })

  test.skipIf(cannotStart)('IR 1: replays do not wait for each other: one read each, and no lock', async () => {
    const server = await startService('redis')
    onTestFinished(() => server.stop())
    const client = ioredis6(addressOf(server.nodes))
    const store = storeFor(client)
    const { token } = await store.begin('key', claim)
    await store.transition('key', token, settle)
    await client.config('RESETSTAT')
    const replays = await Promise.all(
      Array.from({ length: 500 }, (_, i) => store.begin('key', { ...claim, owner: `replay-${i}` })),
    )
    for (const reply of replays) expect(reply).toMatchObject({ outcome: 'settled', result })
    const stats = await client.info('commandstats')
    expect(stats).toContain('cmdstat_getrange:calls=500,')
    // the first by itself, the others in scripts of 32
    expect(stats).toContain('cmdstat_evalsha:calls=17,')
    expect(stats).not.toMatch(/cmdstat_(set|setrange|del|expire|pexpire|pexpireat)\b/)
  })

  test.skipIf(cannotStart)('IR 3: no crash leaves a record that never ends', async () => {
    const server = await startService('redis', { durable: true })
    onTestFinished(() => server.stop())
    const connect = () => ioredis6(addressOf(server.nodes))
    const [first, admin] = [connect(), connect()]
    const store = storeFor(first, { prefix: 'crash:' })
    const [node] = server.nodes
    let settled = 0
    let running = true
    const workers = Array.from({ length: 16 }, async (_, worker) => {
      for (let i = 0; running; i++) {
        try {
          const { token } = await store.begin(`${worker}-${i}`, claim)
          await store.transition(`${worker}-${i}`, token, settle)
          settled++
        } catch {
          return
        }
      }
    })
    await expect.poll(() => settled, { timeout: 30_000 }).toBeGreaterThan(300)
    await node?.kill()
    running = false
    await Promise.all(workers)
    await node?.start()
    const kept = await admin.keys('crash:*')
    expect(kept.length).toBeGreaterThanOrEqual(settled)
    for (const key of kept) expect(await admin.pttl(key)).toBeGreaterThan(0)
    admin.disconnect()
  })
})
