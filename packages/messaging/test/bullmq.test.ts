import { describeConsumer } from '@retryproof/conformance/messaging'
import { memoryStore } from '@retryproof/memory'
import { describe } from 'vitest'
import { service } from '../../../scripts/services.mjs'
import { openBullQueue } from './bullmq-queue.ts'
import { openPostgres } from './postgres.ts'

const redis = await service('redis')
const store = (await openPostgres()) ?? memoryStore()
const LOCK_MS = 3000

describe.skipIf(redis.missing)(redis.title, () =>
  describeConsumer('BullMQ', {
    open: () => openBullQueue(redis.url, LOCK_MS),
    store,
    visibilityMs: LOCK_MS,
  }),
)
