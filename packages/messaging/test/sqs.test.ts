import { describeConsumer } from '@retryproof/conformance/messaging'
import { memoryStore } from '@retryproof/memory'
import { describe } from 'vitest'
import { service } from '../../../scripts/services.mjs'
import { openSqs } from './drill/sqs-broker.ts'
import { openPostgres } from './postgres.ts'
import { openSqsQueue } from './sqs-queue.ts'

const sqs = await service('sqs')
const client = openSqs(sqs.url)
const store = (await openPostgres()) ?? memoryStore()
const VISIBILITY_MS = 4000

for (const kind of ['standard', 'FIFO'] as const) {
  describe.skipIf(sqs.missing)(`${sqs.title}, a ${kind} queue`, () =>
    describeConsumer('sqs', {
      open: () => openSqsQueue(client, kind, VISIBILITY_MS),
      store,
      visibilityMs: VISIBILITY_MS,
      isOrdered: kind === 'FIFO',
      lacks: { cuts: 'SQS is asked, over a connection for each question' },
    }),
  )
}
