/** Hostile publishers and brokers of RabbitMQ against a consumer. */
import { randomBytes } from 'node:crypto'
import { createIdempotency, unscoped } from '@retryproof/core'
import { memoryStore } from '@retryproof/memory'
import { type ChannelModel, type ConfirmChannel, connect, type Options } from 'amqplib'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { service } from '../../../scripts/services.mjs'
import type { Verdict } from '../src/index.ts'
import { consume, type RabbitOptions } from '../src/rabbitmq.ts'

const server = await service('rabbitmq')

describe.skipIf(server.missing)(server.title, () => {
  let connection: ChannelModel
  let channel: ConfirmChannel
  const toDelete: string[] = []
  beforeEach(async () => {
    connection = await connect(server.url)
    connection.on('error', () => {})
    channel = await connection.createConfirmChannel()
  })
  afterEach(async () => {
    for (const queue of toDelete.splice(0)) await channel.deleteQueue(queue)
    await connection.close()
  })

  async function open(
    options: Partial<RabbitOptions<unknown, false>> = {},
    handler: (body: unknown) => unknown = () => {},
  ) {
    const queue = `hostile-${randomBytes(6).toString('hex')}`
    const dead = `${queue}-dead`
    for (const name of [queue, dead]) toDelete.push((await channel.assertQueue(name)).queue)
    const verdicts: Verdict[] = []
    const errors: string[] = []
    const own = await connection.createConfirmChannel()
    own.on('error', () => {})
    const consuming = await consume(
      createIdempotency({ store: memoryStore(), namespace: 'test' }),
      {
        channel: own,
        queue,
        deadLetters: { exchange: '', routingKey: dead },
        scope: unscoped,
        redeliveryDelay: { first: 20, max: 100 },
        onVerdict: (verdict) => verdicts.push(verdict),
        onError: (error) => errors.push(String(error)),
        ...options,
      },
      handler,
    )
    const send = async (body: string | Buffer, properties: Options.Publish = {}) => {
      channel.sendToQueue(queue, Buffer.from(body), properties)
      await channel.waitForConfirms()
    }
    const letters = async () => (await channel.checkQueue(dead)).messageCount
    return {
      queue,
      dead,
      own,
      verdicts,
      errors,
      consuming,
      send,
      letters,
      because: () => verdicts.map((v) => v.because),
    }
  }

  test.each(['CC', 'BCC'])('%s of a message routes its dead letter nowhere', async (name) => {
    const { queue, dead, send, letters, because, consuming } = await open()
    const elsewhere = (await channel.assertQueue('', { exclusive: true })).queue
    await send('no { JSON', { messageId: 'a', [name]: [queue, elsewhere] })
    await expect.poll(because).toEqual(['dead-letter'])
    await send('{}', { messageId: 'b' })
    await expect.poll(because).toEqual(['dead-letter', 'handled'])
    expect(await letters()).toBe(1)
    // the copy that the publisher sent
    expect((await channel.checkQueue(elsewhere)).messageCount).toBe(1)
    const letter = await channel.get(dead, { noAck: true })
    if (name === 'CC')
      expect(letter).toMatchObject({ properties: { headers: { 'retryproof-cc': [queue, elsewhere] } } })
    await consuming.drain()
  })

  test('dead letters that an exchange leads back are slowed down, and good messages are handled', async () => {
    const exchange = `topics-${randomBytes(6).toString('hex')}`
    await channel.assertExchange(exchange, 'topic', { autoDelete: true })
    const { queue, because, send, consuming } = await open({
      deadLetters: { exchange, routingKey: 'orders.dead' },
      redeliveryDelay: { first: 200, max: '1m' },
    })
    await channel.bindQueue(queue, exchange, 'orders.#')
    const startedAt = performance.now()
    await send('no { JSON', { messageId: 'a' })
    await send('{}', { messageId: 'b' })
    const rounds = () => because().filter((each) => each === 'dead-letter').length
    await expect.poll(rounds, { timeout: 20_000 }).toBe(4)
    expect(because()).toContain('handled')
    // 200, 400 and 800 ms, halved by jitter at most
    expect(performance.now() - startedAt).toBeGreaterThan(700)
    await channel.unbindQueue(queue, exchange, 'orders.#')
    await consuming.drain()
  }, 30_000)

  test('a message whose headers are larger than amqplib can write becomes a dead letter without them', async () => {
    const { dead, send, because, errors, consuming } = await open()
    const headers = Object.fromEntries(Array.from({ length: 60 }, (_, i) => [`header ${i}`, 'x'.repeat(1000)]))
    await send('no { JSON', { messageId: 'a', headers })
    await expect.poll(because).toEqual(['dead-letter'])
    const letter = await channel.get(dead, { noAck: true })
    expect(letter).toMatchObject({ properties: { messageId: 'a', headers: { 'retryproof-left-out': 'headers' } } })
    expect(letter).toMatchObject({ content: Buffer.from('no { JSON') })
    expect(errors.join()).toMatch(/written without its headers/)
    await consuming.drain()
  })

  test('a count of deliveries that a publisher forges delays nothing', async () => {
    let failures = 1
    const { send, because, consuming } = await open({ redeliveryDelay: { first: 20, max: '1m' } }, () => {
      if (failures-- > 0) throw new Error('not yet')
    })
    for (const count of [2.5, 2 ** 60, -3, 'many']) {
      await send('{}', { messageId: String(count), headers: { 'x-delivery-count': count } })
    }
    await expect.poll(() => because().filter((each) => each === 'handled').length).toBe(4)
    await consuming.drain()
  })

  test('many dead letters at once add no listener for each', async () => {
    const warnings: string[] = []
    const warn = ({ message }: Error) => warnings.push(message)
    process.on('warning', warn)
    const { send, because, consuming } = await open({ concurrency: 40 })
    await Promise.all(Array.from({ length: 100 }, (_, i) => send('no { JSON', { messageId: `${i}` })))
    await expect.poll(() => because().length).toBe(100)
    await consuming.drain()
    process.off('warning', warn)
    expect(warnings).toEqual([])
  })

  test('a delay that is longer than the broker waits is waited for in parts', async () => {
    const { send, because, own, consuming } = await open(
      { maxRun: 500, consumerTimeout: 300_000 + 500 + 400, onFailure: () => ({ retry: '40m' }) },
      () => {
        throw new Error('not now')
      },
    )
    await send('{}', { messageId: 'a' })
    // given back after 400 ms, and found to wait for its time
    await expect.poll(because, { timeout: 5000 }).toEqual(['failed', 'in-progress', 'in-progress'])
    await own.checkQueue((await channel.assertQueue('', { exclusive: true })).queue).catch(() => {})
    await consuming.drain()
  })

  test('a delay of 30 days is not over at once', async () => {
    const { send, because, consuming } = await open(
      { consumerTimeout: '60d', onFailure: () => ({ retry: '30d' }) },
      () => {
        throw new Error('not now')
      },
    )
    await send('{}', { messageId: 'a' })
    await expect.poll(because).toEqual(['failed'])
    await new Promise(setImmediate)
    await send('{}', { messageId: 'b' })
    await expect.poll(because).toEqual(['failed', 'failed'])
    expect(await consuming.drain()).toEqual({ unfinished: 0 })
  })

  test('options that the broker would punish are refused', async () => {
    await expect(open({ maxRun: '30m' })).rejects.toMatchObject({ option: 'maxRun' })
    const { queue } = await channel.assertQueue('', { exclusive: true })
    await expect(open({ queue })).rejects.toMatchObject({ option: 'operation' })
  })

  test('a dead letter that is never confirmed is given up in time, and the message stays', async () => {
    const channel = await connection.createConfirmChannel()
    // as of a quorum queue without a leader: the broker takes the letter, and says nothing
    const silent = new Proxy(channel, {
      get(target, name) {
        if (name === 'publish') return () => true
        const value = Reflect.get(target, name)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
    const { send, because, errors, consuming } = await open({ channel: silent })
    await send('no { JSON', { messageId: 'a' })
    await expect.poll(because, { timeout: 40_000, interval: 500 }).toEqual(['unavailable'])
    expect(errors.join()).toMatch(/not confirmed within 30000 ms/)
    // it is being tried again
    expect(await consuming.drain({ timeout: 100 })).toEqual({ unfinished: 1 })
  }, 60_000)
})
