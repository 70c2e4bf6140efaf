import { setTimeout as delay } from 'node:timers/promises'
import { unscoped } from '@retryproof/core'
import { type Admin, type Consumer, Kafka, type KafkaMessage, logLevel, type Producer } from 'kafkajs'
import { REASON_HEADER } from '../../src/index.ts'
import { consume } from '../../src/kafka.ts'
import { NUMBER_HEADER } from './hostile-messages.ts'
import type { DrillBroker, Order, Place } from './place.ts'

const PARTITIONS = 8

export function openKafka(brokers: string): Kafka {
  return new Kafka({
    brokers: brokers.split(','),
    logLevel: logLevel.NOTHING,
    retry: { retries: 20, maxRetryTime: 2000 },
  })
}

/** Makes topics, and waits until the broker knows them: it answers before that. */
export async function createTopics(admin: Admin, topics: { topic: string; numPartitions?: number }[]): Promise<void> {
  await admin.createTopics({ topics, waitForLeaders: false })
  const known = () => admin.fetchTopicMetadata({ topics: topics.map(({ topic }) => topic) }).catch(() => undefined)
  while (!(await known())) await delay(20)
}

export function kafkaBroker(): DrillBroker {
  const toClose: { disconnect(): Promise<void> }[] = []
  const connect = async <T extends Admin | Consumer | Producer>(client: T): Promise<T> => {
    await client.connect()
    toClose.push(client)
    return client
  }
  let admin: Promise<Admin> | undefined
  const adminOf = ({ url }: Place) => {
    admin ??= connect(openKafka(url).admin())
    return admin
  }

  return {
    service: 'kafka',
    async prepare(place) {
      const topics = [
        { topic: place.name, numPartitions: PARTITIONS },
        { topic: `${place.name}-dead`, numPartitions: 1 },
      ]
      await createTopics(await adminOf(place), topics)
    },
    async publish(place, orders) {
      const producer = await connect(openKafka(place.url).producer())
      for (let i = 0; i < orders.length; i += 1000) {
        const messages = orders.slice(i, i + 1000).map((order) => ({ value: JSON.stringify(order) }))
        await producer.send({ topic: place.name, acks: -1, messages })
      }
    },
    async publishRaw(place, messages) {
      const producer = await connect(openKafka(place.url).producer())
      for (let i = 0; i < messages.length; i += 50) {
        const some = messages.slice(i, i + 50).map(({ body, headers }) => ({ value: body, headers: { ...headers } }))
        // a consumer sees no compression; every second batch has some
        await producer.send({ topic: place.name, acks: -1, compression: (i / 50) % 2, messages: some })
      }
    },
    async letters(place) {
      const read = (message: KafkaMessage, name: string) => message.headers?.[name]?.toString()
      return (await lettersOf(place)).map((message) => ({
        reason: read(message, REASON_HEADER),
        number: read(message, NUMBER_HEADER),
        body: String(message.value),
      }))
    },
    async consume(place, idempotency, options, handler) {
      const kafka = openKafka(place.url)
      const producer = await connect(kafka.producer())
      const consumer = await connect(
        kafka.consumer({
          groupId: place.name,
          sessionTimeout: 3000,
          rebalanceTimeout: 10_000,
          heartbeatInterval: 500,
          maxWaitTimeInMs: 500,
        }),
      )
      await consumer.subscribe({ topics: [place.name], fromBeginning: true })
      const deadLetters = `${place.name}-dead`
      const id = ({ id }: Order) => id
      return consume(idempotency, { ...options, consumer, producer, deadLetters, scope: unscoped, id }, handler)
    },
    async left(place) {
      const admin = await adminOf(place)
      const committed = await admin.fetchOffsets({ groupId: place.name, topics: [place.name] })
      const ends = await admin.fetchTopicOffsets(place.name)
      const offsets = new Map(committed[0]?.partitions.map(({ partition, offset }) => [partition, Number(offset)]))
      return ends.reduce(
        (left, { partition, high }) => left + Number(high) - Math.max(0, offsets.get(partition) ?? 0),
        0,
      )
    },
    deadLetters: async (place) => (await lettersOf(place)).map(({ value }) => String(JSON.parse(String(value)).id)),
    close: () => Promise.all(toClose.map((client) => client.disconnect())),
  }

  async function lettersOf(place: Place): Promise<readonly KafkaMessage[]> {
    const topic = `${place.name}-dead`
    const letters: KafkaMessage[] = []
    const [end] = await (await adminOf(place)).fetchTopicOffsets(topic)
    const consumer = await connect(openKafka(place.url).consumer({ groupId: topic, maxWaitTimeInMs: 100 }))
    await consumer.subscribe({ topics: [topic], fromBeginning: true })
    await consumer.run({
      eachMessage: async ({ message }) => void letters.push(message),
    })
    while (letters.length < Number(end?.high)) await delay(50)
    return letters
  }
}
