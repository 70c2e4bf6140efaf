import { describeConsumer } from '@retryproof/conformance/messaging'
import { memoryStore } from '@retryproof/memory'
import { describe } from 'vitest'
import { service } from '../../../scripts/services.mjs'
import { openBullQueue } from './bullmq-queue.ts'
import { openPostgres } from './postgres.ts'

const redis = await service('redis')
const store = (await openPostgres()) ?? memoryStore()
const LOCK_MS = 1000

for (const renews of ['worker', 'binding'] as const) {
  describe.skipIf(redis.missing)(`${redis.title}, locks renewed by the ${renews}`, () =>
    describeConsumer('bullmq', {
      open: () => openBullQueue(redis.url, LOCK_MS, renews),
      store,
      visibilityMs: LOCK_MS,
      ...(renews === 'worker' && { lacks: { 'hung handlers': 'the worker renews the lock for as long as it runs' } }),
    }),
  )
}
