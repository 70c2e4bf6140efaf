/** Topics of Kafka for the suite, with one partition each, consumed through either client. */
import { randomBytes } from 'node:crypto'
import { Consumer, Producer } from '@platformatic/kafka'
import type { TestLetter, TestQueue } from '@retryproof/conformance/messaging'
import type { Kafka, Message } from 'kafkajs'
import { REASON_HEADER, ROUND_HEADER } from '../src/index.ts'
import { consume } from '../src/kafka.ts'
import { createTopics } from './drill/kafka-broker.ts'

/** Ample for a machine that is busy: a heartbeat that is late makes it another's. */
export const SESSION_MS = 3000

type Client = 'kafkajs' | '@platformatic/kafka'

export async function openKafkaQueue(kafka: Kafka, brokers: string, client: Client): Promise<TestQueue> {
  const topic = `suite-${randomBytes(6).toString('hex')}`
  const deadLetters = `${topic}-dead`
  const toClose: (() => unknown)[] = []
  const admin = kafka.admin()
  const producer = kafka.producer()
  const reader = kafka.consumer({ groupId: `${topic}-reader`, maxWaitTimeInMs: 50 })
  await Promise.all([admin.connect(), producer.connect(), reader.connect()])
  await createTopics(admin, [{ topic }, { topic: deadLetters }])
  const letters: (TestLetter & { readonly message: Message })[] = []
  await reader.subscribe({ topics: [deadLetters], fromBeginning: true })
  await reader.run({
    async eachMessage({ message }) {
      const read = (name: string) => message.headers?.[name]?.toString()
      letters.push({ body: String(message.value), reason: read(REASON_HEADER), round: read(ROUND_HEADER), message })
    },
  })

  async function openKafkaJs() {
    const consumer = kafka.consumer({
      groupId: topic,
      sessionTimeout: SESSION_MS,
      heartbeatInterval: SESSION_MS / 10,
      maxWaitTimeInMs: 50,
    })
    await consumer.connect()
    toClose.push(() => consumer.disconnect())
    await consumer.subscribe({ topics: [topic], fromBeginning: true })
    return { consumer, producer }
  }

  async function openPlatformatic() {
    const base = { clientId: 'suite', bootstrapBrokers: brokers.split(',') }
    const consumer = new Consumer({
      ...base,
      groupId: topic,
      sessionTimeout: SESSION_MS,
      rebalanceTimeout: SESSION_MS,
      heartbeatInterval: SESSION_MS / 10,
      maxWaitTime: 50,
    })
    const own = new Producer(base)
    toClose.push(
      () => consumer.close(true),
      () => own.close(),
    )
    const stream = await consumer.consume({
      topics: [topic],
      autocommit: false,
      mode: 'committed',
      fallbackMode: 'earliest',
    })
    return { stream, producer: own }
  }

  return {
    async publish({ body, headers = {} }) {
      await producer.send({ topic, messages: [{ value: body, headers: { ...headers } }] })
    },
    async consume(idempotency, options, handler) {
      const opened = await (client === 'kafkajs' ? openKafkaJs() : openPlatformatic())
      return consume(idempotency, { ...options, ...opened, deadLetters } as never, handler as never)
    },
    deadLetters: async () => letters,
    async redrive(letter) {
      const { message } = letter as (typeof letters)[number]
      await producer.send({ topic, messages: [{ ...message, timestamp: undefined } as unknown as Message] })
    },
    async close() {
      await Promise.all([reader.disconnect(), ...toClose.map((close) => close())])
      await admin.deleteTopics({ topics: [topic, deadLetters] })
      await Promise.all([admin.disconnect(), producer.disconnect()])
    },
  }
}
