import { Redis } from 'ioredis'
import memjs from 'memjs'
import { describe, expect, type TestContext, test } from 'vitest'
import { service } from '../../../scripts/services.mjs'
import { lruCache, memcachedCache, redisCache, type SettledCache } from '../src/index.ts'
import { runOverLyingCache } from './lying-cache.ts'

const redis = await service('redis')
const memcached = await service('memcached')
const operations = Number(process.env.OPERATIONS ?? 2000)
const seed = Number(process.env.FC_SEED ?? Date.now() % 2 ** 31)

async function expectNoWrongAnswer(cache: SettledCache, { annotate }: TestContext) {
  const answers = await runOverLyingCache(cache, { seed, operations })
  await annotate(`seed ${seed}: ${JSON.stringify(answers)}`)
  expect(answers.wrong, `seed ${seed}`).toBe(0)
  expect(answers.replays).toBeGreaterThan(operations / 4)
  expect(answers.misses).toBeLessThan(1)
}

describe('a cache that lies in every third call changes no answer', () => {
  test('in memory, full all the time', { timeout: 600_000 }, (context) =>
    expectNoWrongAnswer(lruCache({ maxBytes: 20_000 }), context),
  )

  test.skipIf(redis.missing)('Redis', { timeout: 600_000 }, async (context) => {
    const client = new Redis(redis.url)
    await expectNoWrongAnswer(redisCache(client, `lies-${process.pid}:`), context)
    await client.quit()
  })

  test.skipIf(memcached.missing)('Memcached', { timeout: 600_000 }, async (context) => {
    const client = memjs.Client.create(memcached.url.replace('memcached://', ''))
    await expectNoWrongAnswer(memcachedCache(client, `lies-${process.pid}:`), context)
    client.close()
  })
})
