import { describeConsumer } from '@retryproof/conformance/messaging'
import { memoryStore } from '@retryproof/memory'
import { describe } from 'vitest'
import { service } from '../../../scripts/services.mjs'
import { openNatsQueue } from './nats-queue.ts'
import { openPostgres } from './postgres.ts'

const nats = await service('nats')
const store = (await openPostgres()) ?? memoryStore()
const VISIBILITY_MS = 1000

describe.skipIf(nats.missing)('NATS JetStream', () =>
  describeConsumer(nats.title, {
    open: () => openNatsQueue(nats.url, VISIBILITY_MS),
    store,
    visibilityMs: VISIBILITY_MS,
  }),
)
