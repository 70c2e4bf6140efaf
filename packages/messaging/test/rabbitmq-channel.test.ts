import { randomBytes } from 'node:crypto'
import { createIdempotency, IdempotencyInvalidOptionError, unscoped } from '@retryproof/core'
import { memoryStore } from '@retryproof/memory'
import { connect } from 'amqplib'
import { afterAll, describe, expect, test } from 'vitest'
import { service } from '../../../scripts/services.mjs'
import type { Verdict } from '../src/index.ts'
import { consume } from '../src/rabbitmq.ts'

const server = await service('rabbitmq')

describe.skipIf(server.missing)(server.title, async () => {
  const connection = await connect(server.url)
  afterAll(() => connection.close())

  async function open(deadLetters: { exchange: string; routingKey: string } = { exchange: '', routingKey: 'none' }) {
    const channel = await connection.createConfirmChannel()
    channel.on('error', () => {})
    const { queue } = await channel.assertQueue(`channel-${randomBytes(6).toString('hex')}`)
    const verdicts: Verdict[] = []
    const consuming = consume(
      createIdempotency({ store: memoryStore(), namespace: 'test' }),
      {
        channel,
        queue,
        deadLetters,
        scope: unscoped,
        redeliveryDelay: { first: 10, max: 50 },
        onVerdict: (verdict) => verdicts.push(verdict),
        onError: () => {},
      },
      () => {},
    )
    return { channel, queue, verdicts, consuming }
  }

  test('a dead letter that no queue takes is not confirmed, and its message stays', async () => {
    const dead = `dead-${randomBytes(6).toString('hex')}`
    const { channel, queue, verdicts, consuming } = await open({ exchange: '', routingKey: dead })
    channel.sendToQueue(queue, Buffer.from('no { JSON'), { messageId: 'a', headers: { trace: 'abc' } })
    await expect.poll(() => verdicts.length).toBeGreaterThan(2)
    expect(new Set(verdicts.map(({ because }) => because))).toEqual(new Set(['unavailable']))
    await channel.assertQueue(dead)
    await expect.poll(() => verdicts.at(-1)?.because).toBe('dead-letter')
    const letter = (await channel.get(dead, { noAck: true })) || undefined
    expect(letter?.content.toString()).toBe('no { JSON')
    expect(letter?.properties).toMatchObject({
      messageId: 'a',
      deliveryMode: 2,
      headers: { trace: 'abc', 'retryproof-reason': 'unreadable', 'retryproof-routing-key': queue },
    })
    await (await consuming).drain()
  })

  test('messages that wait for their delay hold up no other, and no more run at once than `concurrency`', async () => {
    const channel = await connection.createConfirmChannel()
    const { queue } = await channel.assertQueue(`delayed-${randomBytes(6).toString('hex')}`)
    const handled: string[] = []
    let [running, most] = [0, 0]
    const consuming = await consume(
      createIdempotency({ store: memoryStore(), namespace: 'test' }),
      {
        channel,
        queue,
        deadLetters: { exchange: '', routingKey: 'none' },
        scope: unscoped,
        concurrency: 1,
        onFailure: () => ({ retry: '1m' }),
      },
      async (_, { message }) => {
        most = Math.max(most, ++running)
        await new Promise((resolve) => setImmediate(resolve))
        running--
        if (String(message.properties.messageId).startsWith('fails')) throw new Error('not now')
        handled.push(String(message.properties.messageId))
      },
    )
    const failing = Array.from({ length: 6 }, (_, n) => `fails ${n}`)
    for (const messageId of [...failing, 'a', 'b', 'c']) channel.sendToQueue(queue, Buffer.from('{}'), { messageId })
    await expect.poll(() => handled, { timeout: 10_000 }).toEqual(['a', 'b', 'c'])
    expect(most).toBe(1)
    const { consumerCount, messageCount } = await channel.checkQueue(queue)
    expect({ consumerCount, messageCount }).toEqual({ consumerCount: failing.length, messageCount: 0 })
    await consuming.drain()
    await channel.close()
  })

  test('the id is the property messageId', async () => {
    const { channel, queue, verdicts, consuming } = await open()
    for (const messageId of ['a', 'b', 'a']) channel.sendToQueue(queue, Buffer.from('{}'), { messageId })
    const done = () => verdicts.filter(({ action }) => action === 'ack').map(({ because }) => because)
    await expect.poll(() => done().sort()).toEqual(['duplicate', 'handled', 'handled'])
    await (await consuming).drain()
  })

  test('a channel that the broker closes ends the consumer, with the reason', async () => {
    const { channel, consuming } = await open()
    const { closed } = await consuming
    const ended = expect(closed).rejects.toMatchObject({
      message: expect.stringMatching(/closed/),
      cause: expect.objectContaining({ code: 404 }),
    })
    // a passive declaration of what is not there is an error of the channel
    channel.checkQueue('nowhere').catch(() => {})
    await ended
  })

  test('a queue that is deleted ends the consumer', async () => {
    const { queue, consuming } = await open()
    const { closed } = await consuming
    const ended = expect(closed).rejects.toThrow(/deleted/)
    const other = await connection.createChannel()
    await other.deleteQueue(queue)
    await ended
  })

  test('dead letters that would come back to their queue are refused', async () => {
    const channel = await connection.createConfirmChannel()
    const options = { channel, queue: 'q', deadLetters: { exchange: '', routingKey: 'q' }, scope: unscoped } as const
    const idempotency = createIdempotency({ store: memoryStore(), namespace: 'test' })
    await expect(consume(idempotency, options, () => {})).rejects.toSatisfy(
      (error) => error instanceof IdempotencyInvalidOptionError && error.option === 'deadLetters',
    )
  })
})
