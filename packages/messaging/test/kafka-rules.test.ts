/** Tests of Kafka's own rules: its order, its offsets, its headers. */
import { randomBytes } from 'node:crypto'
import { createIdempotency, unscoped } from '@retryproof/core'
import { memoryStore } from '@retryproof/memory'
import type { IHeaders, Message } from 'kafkajs'
import { afterEach, describe, expect, test } from 'vitest'
import { service } from '../../../scripts/services.mjs'
import type { ConsumerHandle, Verdict } from '../src/index.ts'
import { consume, type KafkaJsOptions } from '../src/kafka.ts'
import { createTopics, openKafka } from './drill/kafka-broker.ts'

const server = await service('kafka')
const kafka = openKafka(server.url)
const toClose: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of toClose.splice(0).reverse()) await close()
})

const session = { sessionTimeout: 3000, rebalanceTimeout: 3000, heartbeatInterval: 200, maxWaitTimeInMs: 50 }

interface Order {
  readonly id: string
  readonly n: number
}

async function openRules({ partitions = 1 } = {}) {
  const topic = `rules-${randomBytes(6).toString('hex')}`
  const admin = kafka.admin()
  const producer = kafka.producer()
  const consumer = kafka.consumer({ ...session, groupId: topic })
  await Promise.all([admin.connect(), producer.connect(), consumer.connect()])
  toClose.push(
    () => admin.disconnect(),
    () => producer.disconnect(),
    () => consumer.disconnect(),
  )
  await createTopics(admin, [{ topic, numPartitions: partitions }, { topic: `${topic}-dead` }])
  await consumer.subscribe({ topics: [topic], fromBeginning: true })
  const idempotency = createIdempotency({ store: memoryStore(), namespace: topic })
  const verdicts: Verdict[] = []
  const options: KafkaJsOptions<Order, false> = {
    consumer,
    producer,
    deadLetters: `${topic}-dead`,
    scope: unscoped,
    id: ({ id }) => id,
    redeliveryDelay: { first: 10, max: 100 },
    onVerdict: (verdict) => verdicts.push(verdict),
  }
  const start = async (
    handler: (order: Order) => unknown,
    more: Partial<typeof options> = {},
  ): Promise<ConsumerHandle> => {
    const consuming = await consume<unknown, Order>(idempotency, { ...options, ...more }, handler)
    toClose.push(() => consuming.drain())
    return consuming
  }
  const send = (...messages: Message[]) => producer.send({ topic, messages })
  const committed = async () => {
    const [found] = await admin.fetchOffsets({ groupId: topic, topics: [topic] })
    return found?.partitions.map(({ offset }) => Number(offset))
  }
  return { topic, start, send, committed, because: () => verdicts.map(({ because }) => because) }
}

const order = (n: number, partition = 0): Message => ({
  partition,
  value: JSON.stringify({ id: `${partition}-${n}`, n }),
})

describe.skipIf(server.missing)(`${server.title} with kafkajs`, () => {
  test('an id is required: an offset is none', async () => {
    const { start } = await openRules()
    await expect(start(() => {}, { id: undefined as never })).rejects.toMatchObject({ option: 'id' })
    await expect(start(() => {}, { deadLetters: '' })).rejects.toMatchObject({ option: 'deadLetters' })
  })

  test('a message that fails holds its partition up, and its order is kept; other partitions go on', async () => {
    const { start, send } = await openRules({ partitions: 2 })
    await send(...Array.from({ length: 6 }, (_, i) => [order(i), order(i, 1)]).flat())
    const seen: string[] = []
    let isBroken = true
    await start(
      ({ id, n }) => {
        if (id === '0-2' && isBroken) throw new Error('not yet')
        seen.push(id)
        if (id === '1-5') isBroken = false
        return n
      },
      { maxAttempts: 1000 },
    )
    await expect.poll(() => seen.length, { timeout: 20_000 }).toBe(12)
    for (const partition of ['0', '1']) {
      const inOrder = Array.from({ length: 6 }, (_, n) => `${partition}-${n}`)
      expect(seen.filter((id) => id.startsWith(partition))).toEqual(inOrder)
    }
    expect(seen.indexOf('1-5')).toBeLessThan(seen.indexOf('0-2'))
  }, 30_000)

  test('an offset is committed after its message was settled, and not before', async () => {
    const { start, send, committed, because } = await openRules()
    await send(order(0), order(1), order(2))
    let open = () => {}
    const passed = new Promise<void>((resolve) => {
      open = resolve
    })
    let isSecond = false
    const consuming = await start(({ n }) => {
      isSecond = n === 1
      return isSecond ? passed : undefined
    })
    await expect.poll(() => isSecond, { timeout: 20_000 }).toBe(true)
    expect(because()).toEqual(['handled'])
    const drained = consuming.drain()
    // work that it does not have to finish is left to the next
    open()
    expect(await drained).toEqual({ unfinished: 0 })
    expect(await committed()).toEqual([2])
    expect(because()).toEqual(['handled', 'handled'])
  }, 30_000)

  test('a handler that hangs holds its partition no longer than `maxRun`, and no consumer ends', async () => {
    const { topic, start, send, because } = await openRules()
    await send(order(0), order(1))
    let open = () => {}
    const passed = new Promise<void>((resolve) => {
      open = resolve
    })
    const attempts: number[] = []
    const errors: unknown[] = []
    const onError = (error: unknown) => errors.push(error)
    const handler = ({ n }: Order) => {
      attempts.push(n)
      return attempts.length === 1 ? passed : undefined
    }
    const first = await start(handler, { lease: 500, maxRun: 600, onError })
    const ended: unknown[] = []
    first.closed.catch((error) => ended.push(error))
    await expect.poll(() => attempts, { timeout: 20_000 }).toEqual([0])
    const other = kafka.consumer({ ...session, groupId: topic })
    await other.connect()
    toClose.push(() => other.disconnect())
    await other.subscribe({ topics: [topic], fromBeginning: true })
    await start(handler, { consumer: other, lease: 500, onError })
    await expect.poll(() => attempts, { timeout: 20_000 }).toEqual([0, 0, 1])
    open()
    await expect.poll(because, { timeout: 20_000 }).toContain('timed-out')
    expect(errors.map(String).join()).toMatch(/ran longer than `maxRun`/)
    expect(ended).toEqual([])
  }, 60_000)

  test('a dead letter has the key, the headers and the bytes of the message, and says where it was', async () => {
    const { topic, start, send } = await openRules()
    await send({ key: 'k', value: Buffer.from([0xff, 0, 1]), headers: { a: ['1', '2'], b: 'x' } })
    await start(() => {})
    const letters: { key: Buffer | null; value: Buffer | null; headers?: IHeaders }[] = []
    const reader = kafka.consumer({ groupId: `${topic}-reader`, maxWaitTimeInMs: 50 })
    await reader.connect()
    toClose.push(() => reader.disconnect())
    await reader.subscribe({ topics: [`${topic}-dead`], fromBeginning: true })
    await reader.run({ eachMessage: async ({ message }) => void letters.push(message) })
    await expect.poll(() => letters.length, { timeout: 20_000 }).toBe(1)
    const [letter] = letters
    expect(String(letter?.key)).toBe('k')
    expect([...(letter?.value ?? [])]).toEqual([0xff, 0, 1])
    const headers = Object.fromEntries(
      Object.entries(letter?.headers ?? {}).map(([name, value]) => [name, String(value)]),
    )
    expect(headers).toMatchObject({
      a: '1,2',
      b: 'x',
      'retryproof-reason': 'unreadable',
      'retryproof-topic': topic,
      'retryproof-partition': '0',
      'retryproof-offset': '0',
    })
  }, 30_000)

  test('a message without a value is one that does not parse', async () => {
    const { start, send, because } = await openRules()
    await send({ key: 'k', value: null }, order(1))
    await start(() => {})
    await expect.poll(because, { timeout: 20_000 }).toEqual(['dead-letter', 'handled'])
  }, 30_000)
})
