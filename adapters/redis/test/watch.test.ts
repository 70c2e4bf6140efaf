import type { Redis } from 'ioredis'
import { beforeAll, describe, expect, test } from 'vitest'
import { service, startService, unavailable } from '../../../scripts/services.mjs'
import type { RedisStore } from '../src/index.ts'
import { type Address, addressOf, bytesOf, claim, clients, clusterOf, ioredis6, nobody, storeFor } from './harness.ts'

const missing = await unavailable('redis')
const settle = { to: 'completed', result: bytesOf('result'), retentionMs: 60_000 } as const

/** Begins and settles the key, which whoever watches it hears. */
async function change(store: RedisStore, key: string): Promise<void> {
  const { token } = await store.begin(key, claim)
  await store.transition(key, token, settle)
}

describe.skipIf(missing)('watch', () => {
  let address: Address
  let admin: Redis

  // its own, because these tests count its connections and close them
  beforeAll(async () => {
    const server = await startService('redis')
    address = addressOf(server.nodes)
    admin = ioredis6(address)
    return async () => {
      admin.disconnect()
      await server.stop()
    }
  })

  const subscribers = async () => String(await admin.client('LIST', 'TYPE', 'PUBSUB')).split('id=').length - 1

  test.each(clients)('all who watch share one connection, which ends with the last of them, %s', async (_, connect) => {
    const store = storeFor(connect(address, { enableOfflineQueue: true }))
    const controllers = Array.from({ length: 50 }, () => new AbortController())
    const heard = new Map<number, number>()
    await Promise.all(
      controllers.map(({ signal }, i) =>
        store.watch(`key-${i % 10}`, () => heard.set(i, (heard.get(i) ?? 0) + 1), signal),
      ),
    )
    expect(await subscribers()).toBe(1)
    await change(store, 'key-3')
    await expect.poll(() => [...heard.keys()]).toEqual([3, 13, 23, 33, 43])
    for (const controller of controllers.slice(1)) controller.abort()
    expect(await subscribers()).toBe(1)
    await change(store, 'key-0')
    await expect.poll(() => heard.get(0)).toBe(1)
    controllers[0]?.abort()
    await expect.poll(subscribers).toBe(0)
    expect(heard.size).toBe(6)
  })

  test('after its connection was lost everybody is told, and hears again', async () => {
    const store = storeFor(ioredis6(address))
    const controller = new AbortController()
    let calls = 0
    const count = () => {
      calls++
    }
    await store.watch('one', count, controller.signal)
    await store.watch('two', count, controller.signal)
    await admin.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
    await expect.poll(() => calls).toBe(2)
    await expect.poll(async () => (await admin.pubsub('CHANNELS', '*one')).length).toBe(1)
    await change(store, 'one')
    await expect.poll(() => calls).toBe(3)
    controller.abort()
    await expect.poll(subscribers).toBe(0)
  })

  test('whoever stops others while it is told is the last one told', async () => {
    const store = storeFor(ioredis6(address))
    const controller = new AbortController()
    let told = 0
    const stop = () => {
      told++
      controller.abort()
    }
    for (let i = 0; i < 3; i++) await store.watch('key', stop, controller.signal)
    await change(store, 'key')
    await expect.poll(() => told).toBe(1)
    await expect.poll(subscribers).toBe(0)
    expect(told).toBe(1)
  })

  test('a signal that has aborted already opens nothing', async () => {
    const store = storeFor(ioredis6(address))
    await store.watch('key', () => {}, AbortSignal.abort())
    expect(await subscribers()).toBe(0)
  })

  test('where the server cannot be reached it says so', async () => {
    const store = storeFor(ioredis6(nobody))
    const watching = store.watch('key', () => {}, new AbortController().signal)
    await expect(watching).rejects.toMatchObject({ code: 'IDEMPOTENCY_STORE_UNAVAILABLE' })
  })

  test('on a Cluster, whichever server has the record', async (context) => {
    const cluster = await service('redis-cluster')
    context.skip(cluster.missing !== undefined, cluster.missing)
    const prefix = `watch-${process.pid}:`
    const watching = storeFor(clusterOf(cluster.nodes), { prefix })
    const changing = storeFor(clusterOf(cluster.nodes), { prefix })
    const controller = new AbortController()
    const heard = new Set<string>()
    const keys = Array.from({ length: 9 }, (_, i) => `key-${i}`)
    await Promise.all(keys.map((key) => watching.watch(key, () => heard.add(key), controller.signal)))
    for (const key of keys) await change(changing, key)
    await expect.poll(() => heard.size).toBe(keys.length)
    controller.abort()
  })
})
