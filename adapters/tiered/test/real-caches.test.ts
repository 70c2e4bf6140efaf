import { createIdempotency, unscoped } from '@retryproof/core'
import { memoryStore } from '@retryproof/memory'
import { Redis } from 'ioredis'
import memjs from 'memjs'
import { describe, expect, test, vi } from 'vitest'
import { service, startService } from '../../../scripts/services.mjs'
import { lruCache, memcachedCache, redisCache, type SettledCache, tieredStore } from '../src/index.ts'

const redis = await service('redis')
const memcached = await service('memcached')

/** Replays of one settled record by 20 processes that share `cache`: how often the durable store was asked. */
async function replaysThrough(cache: SettledCache): Promise<number> {
  const durable = memoryStore()
  const begin = vi.spyOn(durable, 'begin')
  const open = () => createIdempotency({ store: tieredStore({ cache: [lruCache(), cache], durable }), namespace: 'n' })
  const call = { operation: 'charge', scope: unscoped, key: crypto.randomUUID() } as const
  const value = { text: 'ünï\0'.repeat(500) }
  await open().run(call, () => value)
  await open().run(call, () => null)
  begin.mockClear()
  await vi.waitFor(async () => {
    await open().run(call, () => null)
    expect(begin).not.toHaveBeenCalled()
  })
  for (let process = 0; process < 20; process++) expect((await open().run(call, () => null)).value).toEqual(value)
  return begin.mock.calls.length
}

describe.skipIf(redis.missing)('Redis as the cache', () => {
  test('a settled record is replayed from it', async () => {
    const client = new Redis(redis.url)
    expect(await replaysThrough(redisCache(client, `t${process.pid}:`))).toBe(0)
    await client.quit()
  })
})

describe.skipIf(memcached.missing)('Memcached as the cache', () => {
  test('a settled record is replayed from it', async () => {
    const client = memjs.Client.create(memcached.url.replace('memcached://', ''))
    expect(await replaysThrough(memcachedCache(client, `t${process.pid}:`))).toBe(0)
    client.close()
  })

  test('killed in the middle of a run, it changes no outcome', async () => {
    const own = await startService('memcached')
    const client = memjs.Client.create(own.url.replace('memcached://', ''), {
      timeout: 0.1,
      retries: 0,
      logger: { log: () => {} },
    })
    const durable = memoryStore()
    const idempotency = createIdempotency({
      store: tieredStore({ cache: memcachedCache(client), durable, cacheTimeout: 50 }),
      namespace: 'n',
    })
    const executions = new Map<string, number>()
    for (let round = 0; round < 60; round++) {
      if (round === 30) await own.stop()
      const key = `k${round % 20}`
      const { value } = await idempotency.run({ operation: 'charge', scope: unscoped, key }, () => {
        executions.set(key, (executions.get(key) ?? 0) + 1)
        return key
      })
      expect(value).toBe(key)
    }
    expect([...executions.values()]).toEqual(Array.from({ length: 20 }, () => 1))
    client.close()
  })
})
