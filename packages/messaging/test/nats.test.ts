import { describeConsumer } from '@retryproof/conformance/messaging'
import { memoryStore } from '@retryproof/memory'
import { service } from '../../../scripts/services.mjs'
import { openNatsQueue } from './nats-queue.ts'
import { openPostgres } from './postgres.ts'

const nats = await service('nats')
const VISIBILITY_MS = 1000

describeConsumer(nats.title, {
  open: () => openNatsQueue(nats.url, VISIBILITY_MS),
  store: (await openPostgres()) ?? memoryStore(),
  visibilityMs: VISIBILITY_MS,
})
