import { memoryStore } from '@retryproof/memory'
import { describe, expect, test } from 'vitest'
import { service } from '../../scripts/services.mjs'
import { type AnyHarness, withStore } from '../src/store/harness.ts'
import { manualClock } from '../src/store/model/side-by-side.ts'
import { freshKey } from '../src/store/tools/keys.ts'
import { weakenedMongodb } from './weakened/mongodb.ts'
import { weakenedMysql } from './weakened/mysql.ts'
import { weakenedPostgres } from './weakened/postgres.ts'
import { weakenedRedis } from './weakened/redis.ts'

const asItIs = (statement: string) => statement
const claim = { owner: 'o', fingerprint: 'f', leaseMs: 1000, retentionMs: 3_600_000 }

/** A release keeps the longer retention, and ends the record sooner where its holder says so. */
async function releases(harness: AnyHarness): Promise<void> {
  const clock = manualClock()
  await withStore(harness, clock, async (store) => {
    for (const [shorten, remainingMs] of [
      [undefined, claim.leaseMs + claim.retentionMs],
      [true, 300_000],
    ] as const) {
      const key = freshKey('shorten')
      const { token } = await store.begin(key, claim)
      const change = { to: 'released', delayMs: 0, retentionMs: 300_000, ...(shorten && { shorten }) } as const
      await store.transition(key, token, change)
      expect(await store.get(key)).toMatchObject({ state: 'released', retentionRemainingMs: remainingMs })
    }
  })
}

test('memory', () => releases({ open: ({ now }) => memoryStore({ now }) }))

const servers = {
  postgres: (url: string) => weakenedPostgres(url, asItIs),
  mariadb: (url: string) => weakenedMysql(url, asItIs),
  redis: (url: string) => weakenedRedis(url, asItIs),
  mongodb: (url: string) => weakenedMongodb(url, asItIs),
}
for (const [name, harness] of Object.entries(servers)) {
  const server = await service(name as keyof typeof servers)
  describe.skipIf(server.missing)(server.title, () => {
    test('releases', { timeout: 60_000 }, () => releases(harness(server.url) as AnyHarness))
  })
}
