/** Hostile publishers against a consumer of Kafka, through either client. */
import { randomBytes } from 'node:crypto'
import { Consumer, Producer } from '@platformatic/kafka'
import { createIdempotency, unscoped } from '@retryproof/core'
import { memoryStore } from '@retryproof/memory'
import { CompressionTypes, type KafkaMessage, type Message } from 'kafkajs'
import { afterEach, describe, expect, test } from 'vitest'
import { service } from '../../../scripts/services.mjs'
import type { ConsumerHandle, Verdict } from '../src/index.ts'
import { consume } from '../src/kafka.ts'
import { createTopics, openKafka } from './drill/kafka-broker.ts'

const server = await service('kafka')
const kafka = openKafka(server.url)
const toClose: (() => unknown)[] = []
afterEach(async () => {
  for (const close of toClose.splice(0).reverse()) await close()
})

async function openJs(topics: string[], groupId: string) {
  const consumer = kafka.consumer({ groupId, maxWaitTimeInMs: 50 })
  const producer = kafka.producer()
  await Promise.all([consumer.connect(), producer.connect()])
  toClose.push(
    () => consumer.disconnect(),
    () => producer.disconnect(),
  )
  await consumer.subscribe({ topics, fromBeginning: true })
  return { consumer, producer }
}

async function openStream(topics: string[], groupId: string) {
  const base = { clientId: 'hostile', bootstrapBrokers: server.url.split(',') }
  const consumer = new Consumer({ ...base, groupId, maxWaitTime: 50 })
  const producer = new Producer(base)
  toClose.push(
    () => consumer.close(true),
    () => producer.close(),
  )
  const stream = await consumer.consume({ topics, autocommit: false, mode: 'committed', fallbackMode: 'earliest' })
  return { stream, producer }
}

describe.skipIf(server.missing).each([
  ['kafkajs', openJs],
  ['@platformatic/kafka', openStream],
] as const)(`${server.title} with %s`, (_, openClient) => {
  async function open({ readsDead = false } = {}) {
    const topic = `hostile-${randomBytes(6).toString('hex')}`
    const dead = `${topic}-dead`
    const admin = kafka.admin()
    const publisher = kafka.producer()
    const reader = kafka.consumer({ groupId: `${topic}-reader`, maxWaitTimeInMs: 50 })
    await Promise.all([admin.connect(), publisher.connect(), reader.connect()])
    toClose.push(
      () => admin.disconnect(),
      () => publisher.disconnect(),
      () => reader.disconnect(),
    )
    await createTopics(admin, [{ topic }, { topic: dead }])
    const letters: KafkaMessage[] = []
    await reader.subscribe({ topics: [dead], fromBeginning: true })
    await reader.run({ eachMessage: async ({ message }) => void letters.push(message) })
    const verdicts: Verdict[] = []
    const errors: string[] = []
    const done: unknown[] = []
    const client = await openClient(readsDead ? [topic, dead] : [topic], topic)
    const consuming: ConsumerHandle = await consume<unknown, { readonly id: string }>(
      createIdempotency({ store: memoryStore(), namespace: topic }),
      {
        ...(client as Awaited<ReturnType<typeof openJs>>),
        deadLetters: dead,
        scope: unscoped,
        id: ({ id }) => id,
        redeliveryDelay: { first: 20, max: 100 },
        onVerdict: (verdict) => verdicts.push(verdict),
        onError: (error) => errors.push(String(error)),
      },
      ({ id }) => done.push(id),
    )
    let ended: unknown
    consuming.closed.catch((error) => {
      ended = error
    })
    toClose.push(() => consuming.drain({ timeout: 3000 }))
    const send = (message: Message, compression = CompressionTypes.None) =>
      publisher.send({ topic, messages: [message], compression })
    return { topic, letters, verdicts, errors, done, send, ended: () => ended }
  }

  const names = Object.getOwnPropertyNames(Object.prototype)

  test('headers named as the members of every object: each message is handled', async () => {
    const { done, send, ended, letters } = await open()
    for (const name of names) await send({ value: JSON.stringify({ id: name }), headers: { [name]: 'x' } })
    const all = Object.fromEntries([...names, 'retryproof-reason'].map((name) => [name, 'x']))
    await send({ value: 'no { JSON', headers: all })
    await send({ value: '{"id":"last"}' })
    await expect.poll(() => done, { timeout: 20_000 }).toEqual([...names, 'last'])
    await expect.poll(() => letters.length, { timeout: 20_000 }).toBe(1)
    expect(ended()).toBeUndefined()
  }, 60_000)

  test('a compressed body that is larger than the limit is a dead letter as it was', async () => {
    const { done, send, letters } = await open()
    await send({ value: 'a'.repeat(3_000_000) }, CompressionTypes.GZIP)
    await send({ value: '{"id":"good"}' })
    await expect.poll(() => done, { timeout: 20_000 }).toEqual(['good'])
    await expect.poll(() => letters.length, { timeout: 20_000 }).toBe(1)
    expect(letters[0]?.value?.length).toBe(3_000_000)
  }, 60_000)

  test('a message as large as the topic takes is a dead letter without its body, with the way to it', async () => {
    const { topic, done, send, letters, errors } = await open()
    await send({ value: randomBytes(1_048_400), headers: { trace: 'x' } })
    await send({ value: '{"id":"good"}' })
    await expect.poll(() => done, { timeout: 20_000 }).toEqual(['good'])
    await expect.poll(() => letters.length, { timeout: 20_000 }).toBe(1)
    const headers = Object.fromEntries(Object.entries(letters[0]?.headers ?? {}).map(([k, v]) => [k, String(v)]))
    expect(headers).toMatchObject({
      'retryproof-reason': 'unreadable',
      'retryproof-left-out': 'headers and body',
      'retryproof-topic': topic,
      'retryproof-partition': '0',
      'retryproof-offset': '0',
    })
    expect(errors.join()).toMatch(/written without its headers and body/)
  }, 60_000)

  test('tombstones and empty and binary bodies are dead letters', async () => {
    const { done, send, letters } = await open()
    for (const value of [null, Buffer.alloc(0), Buffer.from([0xff, 0, 0xfe])]) await send({ key: 'k', value })
    await send({ value: '{"id":"good"}' })
    await expect.poll(() => done, { timeout: 20_000 }).toEqual(['good'])
    await expect
      .poll(() => letters.map(({ value }) => value?.length), { timeout: 20_000 })
      .toEqual(letters.length === 3 && letters[0]?.value ? [0, 0, 3] : [undefined, 0, 3])
  }, 60_000)

  test('a consumer that reads its own dead letters is ended', async () => {
    const { send, ended, verdicts } = await open({ readsDead: true })
    await send({ value: 'no { JSON' })
    await expect.poll(() => String(ended()), { timeout: 20_000 }).toMatch(/they would go round/)
    expect(verdicts.map(({ because }) => because)).toEqual(['dead-letter'])
  }, 60_000)
})
