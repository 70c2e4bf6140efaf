import { setTimeout as sleep } from 'node:timers/promises'
import { describeConsumer, openBench } from '@retryproof/conformance/messaging'
import { memoryStore } from '@retryproof/memory'
import { describe, expect, test } from 'vitest'
import { service } from '../../../scripts/services.mjs'
import { openKafka } from './drill/kafka-broker.ts'
import { openKafkaQueue, SESSION_MS } from './kafka-queue.ts'
import { openPostgres } from './postgres.ts'

const server = await service('kafka')
const kafka = openKafka(server.url)
const store = (await openPostgres()) ?? memoryStore()
const cuts = 'its clients go to the brokers by themselves; the drill kills whole consumers'

const withStream = {
  open: () => openKafkaQueue(kafka, server.url, '@platformatic/kafka'),
  store,
  isOrdered: true,
  lacks: { cuts, visibility: 'a fetch that is under way still brings a message to who has just lost its partition' },
}

describe.skipIf(server.missing)(server.title, () => {
  describeConsumer('kafkajs', {
    open: () => openKafkaQueue(kafka, server.url, 'kafkajs'),
    store,
    visibilityMs: SESSION_MS,
    isOrdered: true,
    lacks: { cuts },
  })

  describeConsumer('@platformatic/kafka', withStream)

  test('@platformatic/kafka keeps its partition while a message takes longer than its session', async () => {
    const bench = await openBench(withStream)
    try {
      bench.handle(() => sleep(SESSION_MS * 2.5))
      await bench.start()
      await bench.publish({ id: 'a', amount: 1 }, { id: 'b', amount: 2 })
      await bench.acknowledged(2)
      expect(bench.verdicts).toMatchObject([{ because: 'handled' }, { because: 'handled' }])
    } finally {
      await bench.close()
    }
  }, 60_000)
})
