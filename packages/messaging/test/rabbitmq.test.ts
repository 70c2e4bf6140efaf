import { describeConsumer } from '@retryproof/conformance/messaging'
import { memoryStore } from '@retryproof/memory'
import { describe } from 'vitest'
import { service } from '../../../scripts/services.mjs'
import { openPostgres } from './postgres.ts'
import { openRabbitQueue } from './rabbitmq-queue.ts'

const rabbitmq = await service('rabbitmq')
const store = (await openPostgres()) ?? memoryStore()

for (const type of ['classic', 'quorum'] as const) {
  describe.skipIf(rabbitmq.missing)(`a ${type} queue`, () =>
    describeConsumer(rabbitmq.title, {
      open: () => openRabbitQueue(rabbitmq.url, type),
      store,
      lacks: { visibility: 'RabbitMQ waits for as long as the connection lives' },
    }),
  )
}
