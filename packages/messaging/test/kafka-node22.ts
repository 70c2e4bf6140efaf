/** A consumer with `@platformatic/kafka` 2, which needs Node 22: what became of each message, as JSON on standard output. */
import { randomBytes } from 'node:crypto'
import { Admin, Consumer, Producer } from '@platformatic/kafka-2'
import { createIdempotency, unscoped } from '@retryproof/core'
import { memoryStore } from '@retryproof/memory'
import { consume } from '../src/kafka.ts'

interface Order {
  readonly id: string
  readonly fails?: boolean
}

const [brokers = ''] = process.argv.slice(2)
const topic = `node22-${randomBytes(6).toString('hex')}`
const deadLetters = `${topic}-dead`
const base = { clientId: 'test', bootstrapBrokers: brokers.split(',') }
const admin = new Admin(base)
await admin.createTopics({ topics: [topic, deadLetters] })
const producer = new Producer(base)
const orders: Order[] = [{ id: 'a' }, { id: 'b', fails: true }, { id: 'a' }, { id: 'c' }]
await producer.send({ messages: orders.map((order) => ({ topic, value: Buffer.from(JSON.stringify(order)) })) })

const open = async (groupId: string, from: string) => {
  const consumer = new Consumer({ ...base, groupId, maxWaitTime: 50 })
  const stream = await consumer.consume({
    topics: [from],
    autocommit: false,
    mode: 'committed',
    fallbackMode: 'earliest',
  })
  return { consumer, stream }
}

const verdicts: string[] = []
const { consumer, stream } = await open(topic, topic)
await new Promise<void>((resolve, reject) => {
  const consuming = consume<unknown, Order>(
    createIdempotency({ store: memoryStore(), namespace: topic }),
    {
      stream,
      producer,
      deadLetters,
      scope: unscoped,
      id: ({ id }) => id,
      maxAttempts: 2,
      redeliveryDelay: { first: 10 },
      async onVerdict({ because }) {
        verdicts.push(because)
        if (verdicts.length < 5) return
        const { unfinished } = await (await consuming).drain()
        if (unfinished === 0) resolve()
        else reject(new Error(`${unfinished} unfinished`))
      },
    },
    ({ fails }) => {
      if (fails) throw new Error('on purpose')
    },
  )
  consuming.catch(reject)
})
const committed = await consumer.listCommittedOffsets({ topics: [{ topic, partitions: [0] }] })

const reader = await open(deadLetters, deadLetters)
for await (const letter of reader.stream) {
  const headers = [...letter.headers].map(([name, value]) => [String(name), String(value)])
  const { 'retryproof-reason': reason } = Object.fromEntries(headers)
  const report = {
    node: process.version,
    verdicts,
    committed: Number(committed.get(topic)?.[0]),
    reason,
    letter: `${letter.value}`,
  }
  process.stdout.write(`${JSON.stringify(report)}\n`)
  break
}
await Promise.all([consumer.close(true), reader.consumer.close(true), producer.close(), admin.close()])
