import { randomBytes } from 'node:crypto'
import { AckPolicy, type ConsumerConfig, jetstream, jetstreamManager } from '@nats-io/jetstream'
import { headers } from '@nats-io/nats-core'
import { connect } from '@nats-io/transport-node'
import { createIdempotency, IdempotencyInvalidOptionError, unscoped } from '@retryproof/core'
import { memoryStore } from '@retryproof/memory'
import { afterAll, describe, expect, test } from 'vitest'
import { service } from '../../../scripts/services.mjs'
import type { Verdict } from '../src/index.ts'
import { consume, type NatsOptions } from '../src/nats.ts'

const server = await service('nats')

describe.skipIf(server.missing)(server.title, async () => {
  const connection = await connect({ servers: new URL(server.url).host })
  const manager = await jetstreamManager(connection)
  const client = jetstream(connection)
  afterAll(() => connection.close())

  /** A stream of its own, and a consumer of all of it that is not the dead letters. */
  async function open(
    config: Partial<ConsumerConfig>,
    options: Partial<NatsOptions<unknown, boolean>> = {},
    read = 'orders',
  ) {
    const stream = `limits_${randomBytes(6).toString('hex')}`
    await manager.streams.add({ name: stream, subjects: [`${stream}.>`] })
    const subject = `${stream}.orders`
    const consumer = {
      durable_name: 'group',
      filter_subject: `${stream}.${read}`,
      ack_policy: AckPolicy.Explicit,
      ...config,
    }
    await manager.consumers.add(stream, consumer)
    const verdicts: Verdict[] = []
    const handled: unknown[] = []
    const consuming = consume(
      createIdempotency({ store: memoryStore(), namespace: 'test' }),
      {
        consumer: await client.consumers.get(stream, 'group'),
        jetstream: client,
        deadLetters: `${stream}.dead`,
        scope: unscoped,
        redeliveryDelay: { first: 10, max: 50 },
        onVerdict: (verdict) => verdicts.push(verdict),
        onError: () => {},
        ...options,
      },
      (body) => handled.push(body),
    )
    return { stream, subject, verdicts, handled, consuming }
  }

  const refusal = (option: string) => (error: unknown) =>
    error instanceof IdempotencyInvalidOptionError && error.option === option

  test('a consumer that gives messages up before their attempts are over is refused', async () => {
    const tooFew = await open({ max_deliver: 5 }, { maxAttempts: 5 })
    await expect(tooFew.consuming).rejects.toSatisfy(refusal('consumer'))
    const enough = await open({ max_deliver: 20 }, { maxAttempts: 5, lease: '1s', redeliveryDelay: { first: '1s' } })
    await (await enough.consuming).drain()
  })

  test('a consumer that acknowledges several at once is refused', async () => {
    const { consuming } = await open({ ack_policy: AckPolicy.All })
    await expect(consuming).rejects.toSatisfy(refusal('consumer'))
  })

  test.each(['>', '*', 'dead'])('a consumer that reads its own dead letters by %s is refused', async (read) => {
    const { consuming } = await open({}, {}, read)
    await expect(consuming).rejects.toSatisfy(refusal('deadLetters'))
  })

  test('a consumer of a whole stream that keeps the dead letters too is refused', async () => {
    const { consuming } = await open({ filter_subject: undefined as never })
    await expect(consuming).rejects.toSatisfy(refusal('deadLetters'))
  })

  test('a consumer without a durable name needs an operation: its name is another at each start', async () => {
    const ephemeral = { durable_name: undefined as never, name: 'group' }
    await expect((await open(ephemeral)).consuming).rejects.toSatisfy(refusal('operation'))
    const { consuming } = await open(ephemeral, { operation: 'orders' })
    await (await consuming).drain()
  })

  test.each(['consumer', 'stream'] as const)(
    'a %s that is deleted ends the consumer',
    async (what) => {
      const { consuming, stream } = await open({})
      const { closed } = await consuming
      const ended = expect(closed).rejects.toThrow(/not found/)
      await (what === 'consumer' ? manager.consumers.delete(stream, 'group') : manager.streams.delete(stream))
      await ended
    },
    20_000,
  )

  test('a message as large as the server takes is a dead letter without its body, with the way to it', async () => {
    const errors: unknown[] = []
    const { consuming, stream, subject, verdicts } = await open({}, { onError: (error) => errors.push(error) })
    const { max_payload: most = 0 } = connection.info ?? {}
    await client.publish(subject, new Uint8Array(most - 50))
    await expect.poll(() => verdicts.map(({ because }) => because)).toEqual(['dead-letter'])
    const letter = await manager.streams.getMessage(stream, { last_by_subj: `${stream}.dead` })
    expect(letter?.data.length).toBe(0)
    expect(letter?.header.get('retryproof-left-out')).toBe('headers and body')
    expect(letter?.header.get('retryproof-stream')).toBe(stream)
    expect(letter?.header.get('retryproof-sequence')).toBe('1')
    expect(String(errors)).toMatch(/written without its headers and body/)
    await (await consuming).drain()
  })

  test('what a publisher writes into its headers takes no other message its id', async () => {
    const { consuming, subject, handled } = await open({})
    const forged = headers()
    forged.set('retryproof-reason', 'x')
    forged.set('retryproof-id', 'alice')
    await client.publish(subject, '{"of":"mallory"}', { msgID: 'mallory', headers: forged })
    await expect.poll(() => handled).toEqual([{ of: 'mallory' }])
    await client.publish(subject, '{"of":"alice"}', { msgID: 'alice' })
    await expect.poll(() => handled).toEqual([{ of: 'mallory' }, { of: 'alice' }])
    await (await consuming).drain()
  })

  test('the id is Nats-Msg-Id; in a dead letter it is kept beside it, with all other headers', async () => {
    const { consuming, stream, subject, verdicts, handled } = await open({})
    const sent = headers()
    sent.set('trace', 'abc')
    await client.publish(subject, '{"n":1}', { msgID: 'first', headers: sent })
    await expect.poll(() => handled).toEqual([{ n: 1 }])
    await client.publish(subject, 'no { JSON', { msgID: 'second', headers: sent })
    await expect.poll(() => verdicts.map(({ because }) => because)).toContain('dead-letter')
    const letter = await manager.streams.getMessage(stream, { last_by_subj: `${stream}.dead` })
    expect(letter?.header.get('retryproof-id')).toBe('second')
    expect(letter?.header.get('trace')).toBe('abc')
    expect(letter?.header.get('retryproof-operation')).toBe('group')
    await (await consuming).drain()
  })

  test('a message that comes for the last time while the store is away is a dead letter', async () => {
    const store = memoryStore()
    const away = { ...store, begin: async () => Promise.reject(new Error('away')) }
    const idempotency = createIdempotency({ store: away, namespace: 'test' })
    const stream = `last_${randomBytes(6).toString('hex')}`
    await manager.streams.add({ name: stream, subjects: [`${stream}.>`] })
    const filter_subject = `${stream}.orders`
    await manager.consumers.add(stream, {
      durable_name: 'group',
      filter_subject,
      ack_policy: AckPolicy.Explicit,
      max_deliver: 4,
    })
    const verdicts: Verdict[] = []
    const consuming = await consume(
      idempotency,
      {
        consumer: await client.consumers.get(stream, 'group'),
        jetstream: client,
        deadLetters: `${stream}.dead`,
        scope: unscoped,
        maxAttempts: 1,
        lease: 10,
        redeliveryDelay: { first: 10, max: 20 },
        onVerdict: (verdict) => verdicts.push(verdict),
        onError: () => {},
      },
      () => {},
    )
    await client.publish(filter_subject, '{}', { msgID: 'a' })
    await expect
      .poll(() => verdicts.map(({ because }) => because), { timeout: 10_000 })
      .toEqual(['unavailable', 'unavailable', 'unavailable', 'dead-letter'])
    await consuming.drain()
  })
})
