import { setTimeout as delay } from 'node:timers/promises'
import { unscoped } from '@retryproof/core'
import { type Admin, type Consumer, Kafka, logLevel, type Producer } from 'kafkajs'
import { consume } from '../../src/kafka.ts'
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
    async deadLetters(place) {
      const topic = `${place.name}-dead`
      const ids: string[] = []
      const [end] = await (await adminOf(place)).fetchTopicOffsets(topic)
      const consumer = await connect(openKafka(place.url).consumer({ groupId: topic, maxWaitTimeInMs: 100 }))
      await consumer.subscribe({ topics: [topic], fromBeginning: true })
      await consumer.run({
        eachMessage: async ({ message }) => void ids.push(String(JSON.parse(String(message.value)).id)),
      })
      while (ids.length < Number(end?.high)) await delay(50)
      return ids
    },
    close: () => Promise.all(toClose.map((client) => client.disconnect())),
  }
}
