import { randomUUID } from 'node:crypto'
import { RedisStorageAdapter } from '@node-idempotency/storage-adapter-redis'
import type { IdempotencyStore } from '@retryproof/core'
import { redisStore } from '@retryproof/redis'
import { lruCache, tieredStore } from '@retryproof/tiered'
import { Redis } from 'ioredis'
import { type Driver, Held, type Json, LEASE_MS, type Opened, RETENTION_MS, Reused } from '../subject.ts'
import { fingerprintOf } from './floor.ts'
import { over } from './ours.ts'
import { nodeIdempotency, powertools } from './peers.ts'

const FENCED = `if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) return 1 end return 0`

/** One SET that claims or reads, one script that completes only what is still held. */
function byHand(client: Redis): Opened {
  client.defineCommand('complete', { numberOfKeys: 1, lua: FENCED })
  const complete = Reflect.get(client, 'complete') as (...args: (string | number)[]) => Promise<number>
  return {
    async run(key, payload, work) {
      const fingerprint = fingerprintOf(payload)
      const claim = JSON.stringify({ owner: randomUUID(), fingerprint })
      const found = await client.set(key, claim, 'PX', LEASE_MS, 'NX', 'GET')
      if (found !== null) {
        const known = JSON.parse(found) as { readonly fingerprint: string; readonly value?: Json }
        if (known.fingerprint !== fingerprint) throw new Reused('The key was used for another payload.')
        if (!known.value) throw new Held('The key is held.')
        return known.value
      }
      const value = await work()
      const done = await complete.call(client, key, claim, JSON.stringify({ fingerprint, value }), RETENTION_MS)
      if (done === 0) throw new Held('The lease was lost.')
      return value
    },
    close: async () => {
      await client.quit()
    },
  }
}

function ours(client: Redis, wrap: (store: IdempotencyStore) => IdempotencyStore): Opened {
  return over(wrap(redisStore({ client })), async () => {
    await client.quit()
  })
}

export function redis(url: string): Driver {
  return {
    name: 'redis',
    isLocal: false,
    subjects: [
      { kind: 'floor', name: 'SET NX GET and a script', open: async () => byHand(new Redis(url)) },
      {
        kind: 'peer',
        name: '@node-idempotency/core',
        open: async () => {
          const storage = new RedisStorageAdapter({ url })
          await storage.connect()
          return nodeIdempotency(storage, () => storage.disconnect())
        },
      },
      { kind: 'peer', name: '@aws-lambda-powertools/idempotency', open: () => powertools(url) },
      { kind: 'ours', name: 'Retryproof', open: async () => ours(new Redis(url), (store) => store) },
      {
        kind: 'ours',
        name: 'Retryproof, enableAutoPipelining',
        open: async () => ours(new Redis(url, { enableAutoPipelining: true }), (store) => store),
      },
      {
        kind: 'ours',
        name: 'Retryproof behind lruCache',
        open: async () => ours(new Redis(url), (durable) => tieredStore({ cache: lruCache(), durable })),
      },
    ],
  }
}
