/** Tests of SQS's own rules: its limits, its groups, its attributes. */
import { randomBytes } from 'node:crypto'
import { createIdempotency, IdempotencyInvalidOptionError, unscoped } from '@retryproof/core'
import { memoryStore } from '@retryproof/memory'
import { afterEach, describe, expect, test } from 'vitest'
import { service } from '../../../scripts/services.mjs'
import type { SqsClient } from '../src/brokers/sqs/client.ts'
import { hiddenS } from '../src/brokers/sqs/hidden.ts'
import type { ConsumerHandle, Verdict } from '../src/index.ts'
import { consume, type SqsOptions } from '../src/sqs.ts'
import { openSqs } from './drill/sqs-broker.ts'
import { createQueue } from './sqs-queue.ts'

const sqs = await service('sqs')
const client = openSqs(sqs.url)
const opened: ConsumerHandle[] = []
afterEach(async () => {
  await Promise.all(opened.splice(0).map((consuming) => consuming.drain()))
})

interface Order {
  readonly n: number
}

async function openRules(suffix = '', attributes: Record<string, string> = {}) {
  const name = `rules-${randomBytes(6).toString('hex')}`
  const deadLetters = await createQueue(client, `${name}-dead${suffix}`)
  const queueUrl = await createQueue(client, `${name}${suffix}`, { VisibilityTimeout: '2', ...attributes })
  const idempotency = createIdempotency({ store: memoryStore(), namespace: name })
  const verdicts: Verdict[] = []
  const start = async (handler: (order: Order) => unknown, options: Partial<SqsOptions<Order, false>> = {}) => {
    const consuming = await consume<unknown, Order>(
      idempotency,
      {
        client,
        queueUrl,
        deadLetters,
        scope: unscoped,
        redeliveryDelay: { first: 10, max: 100 },
        onVerdict: (verdict) => verdicts.push(verdict),
        ...options,
      },
      handler,
    )
    opened.push(consuming)
    return consuming
  }
  const firstLetter = async () => {
    const { Messages: [letter] = [] } = await client.receiveMessage({
      QueueUrl: deadLetters,
      WaitTimeSeconds: 20,
      MessageAttributeNames: ['All'],
    })
    return letter
  }
  return { queueUrl, deadLetters, verdicts, start, firstLetter }
}

const count = (verdicts: readonly Verdict[], because: Verdict['because']) =>
  verdicts.filter((verdict) => verdict.because === because).length

/** Does as SQS itself with a message that was received too often. */
async function redrivenAfter(maxReceiveCount: number) {
  const dead = await createQueue(client, `moved-${randomBytes(6).toString('hex')}`)
  const { Attributes: { QueueArn = '' } = {} } = await client.getQueueAttributes({
    QueueUrl: dead,
    AttributeNames: ['QueueArn'],
  })
  return { RedrivePolicy: JSON.stringify({ deadLetterTargetArn: QueueArn, maxReceiveCount }) }
}

describe.skipIf(sqs.missing)(sqs.title, () => {
  test('a queue that gives messages up too early is refused', async () => {
    const { start } = await openRules('', await redrivenAfter(5))
    await expect(start(() => {})).rejects.toMatchObject({ option: 'queueUrl' })
    await expect(start(() => {})).rejects.toThrow(/delivers a message 5 times at most, and \d+ are needed/)
    await start(() => {}, { maxAttempts: 2, lease: 100, redeliveryDelay: { first: 100 } })
  })

  test('a queue that keeps messages longer than their records is refused', async () => {
    const { start } = await openRules()
    // the server of the tests keeps that attribute to itself
    const telling: SqsClient = Object.assign(Object.create(client), {
      async getQueueAttributes(input: Parameters<SqsClient['getQueueAttributes']>[0]) {
        const { Attributes } = await client.getQueueAttributes(input)
        return { Attributes: { ...Attributes, MessageRetentionPeriod: String(14 * 24 * 3600) } }
      },
    })
    await expect(start(() => {}, { client: telling })).rejects.toMatchObject({ option: 'retention' })
    await start(() => {}, { client: telling, retention: '14d' })
  })

  test.each([0, 11, 1.5])('a batch of %d is refused', async (batchSize) => {
    const { start } = await openRules()
    await expect(start(() => {}, { batchSize })).rejects.toThrow(IdempotencyInvalidOptionError)
  })

  test('what the queue would not deliver again is a dead letter before that, with the reason', async () => {
    const { queueUrl, start, firstLetter } = await openRules('', await redrivenAfter(6))
    await client.sendMessage({ QueueUrl: queueUrl, MessageBody: '{"n":1}' })
    for (let received = 0; received < 5; ) {
      const { Messages: [message] = [] } = await client.receiveMessage({ QueueUrl: queueUrl, VisibilityTimeout: 0 })
      if (message) received++
    }
    const fails = () => Promise.reject(new Error('not yet'))
    await start(fails, { maxAttempts: 3, lease: 100, redeliveryDelay: { first: 200 } })
    const letter = await firstLetter()
    expect(letter?.MessageAttributes?.['retryproof-reason']?.StringValue).toBe('last-delivery')
  }, 20_000)

  test('without `id` a message is known by its MessageId: what a publisher sends twice is two messages', async () => {
    const { queueUrl, start, verdicts } = await openRules()
    let failures = 1
    await start(() => {
      if (failures-- > 0) throw new Error('not yet')
    })
    for (let i = 0; i < 2; i++) await client.sendMessage({ QueueUrl: queueUrl, MessageBody: '{"n":1}' })
    await expect.poll(() => count(verdicts, 'handled'), { timeout: 20_000 }).toBe(2)
    expect(count(verdicts, 'failed')).toBe(1)
  })

  test('a dead letter of a message with all the attributes that there may be has them all', async () => {
    const { queueUrl, start, firstLetter } = await openRules()
    const names = Array.from({ length: 10 }, (_, i) => `attribute${i}`)
    const MessageAttributes = Object.fromEntries(
      names.map((name, i) => [
        name,
        i % 2 ? { DataType: 'String', StringValue: name } : { DataType: 'Binary', BinaryValue: Buffer.from(name) },
      ]),
    )
    await client.sendMessage({ QueueUrl: queueUrl, MessageBody: 'no { JSON', MessageAttributes })
    await start(() => {})
    const { MessageAttributes: found = {}, Body } = (await firstLetter()) ?? {}
    expect(Body).toBe('no { JSON')
    const said = JSON.parse(found['retryproof-dead-letter']?.StringValue ?? '{}')
    const moved = said.attributes as Record<string, string>
    const texts = names.map((name, i) => {
      const kept = found[name]?.StringValue ?? (found[name] && Buffer.from(found[name].BinaryValue ?? []).toString())
      const text = moved[name]
      return kept ?? (i % 2 || text === undefined ? text : Buffer.from(text, 'base64').toString())
    })
    expect(texts).toEqual(names)
    expect(Object.keys(found)).toHaveLength(10)
  })

  test('what publishers write into attributes takes no other message its id', async () => {
    const { queueUrl, start, verdicts } = await openRules()
    const string = (StringValue: string) => ({ DataType: 'String', StringValue })
    const bodies: unknown[] = []
    await start((body) => bodies.push(body))
    const forged = {
      'retryproof-reason': string('x'),
      'retryproof-id': string('alice'),
      'retryproof-round': string('9'),
    }
    for (const n of [1, 2]) {
      await client.sendMessage({ QueueUrl: queueUrl, MessageBody: JSON.stringify({ n }), MessageAttributes: forged })
    }
    await expect.poll(() => count(verdicts, 'handled'), { timeout: 20_000 }).toBe(2)
    expect(bodies).toEqual(expect.arrayContaining([{ n: 1 }, { n: 2 }]))
  })

  test('a message with names of members of every object, and one as large as may be, are dead letters', async () => {
    const { queueUrl, start, verdicts, firstLetter } = await openRules()
    const names = Object.getOwnPropertyNames(Object.prototype).slice(0, 9)
    const MessageAttributes = Object.fromEntries(names.map((name) => [name, { DataType: 'String', StringValue: 'x' }]))
    await client.sendMessage({ QueueUrl: queueUrl, MessageBody: 'no { JSON', MessageAttributes })
    await client.sendMessage({ QueueUrl: queueUrl, MessageBody: 'x'.repeat(262_144) })
    await start(() => {})
    await expect.poll(() => count(verdicts, 'dead-letter'), { timeout: 20_000 }).toBe(2)
    expect(await firstLetter()).toBeDefined()
  }, 40_000)

  test('dead letters in the queue itself, and handlers that run for longer than SQS waits, are refused', async () => {
    const { queueUrl, start } = await openRules()
    await expect(start(() => {}, { deadLetters: queueUrl })).rejects.toMatchObject({ option: 'deadLetters' })
    await expect(start(() => {}, { maxRun: '12h' })).rejects.toMatchObject({ option: 'maxRun' })
  })

  test('a message is hidden for no longer than is left of twelve hours', () => {
    const hours = (n: number) => n * 3_600_000
    expect(hiddenS(1500, 0, 0)).toBe(2)
    expect(hiddenS(hours(30 * 24), 0, 0)).toBe(12 * 3600 - 300)
    expect(hiddenS(hours(6), 0, hours(10))).toBe(2 * 3600 - 300)
    expect(hiddenS(hours(6), 0, hours(12))).toBe(0)
  })

  test('a group of a FIFO queue stops at its first failure, and goes on in order; other groups do not wait', async () => {
    const { queueUrl, start, verdicts } = await openRules('.fifo')
    const seen: string[] = []
    const groups = ['x', 'y']
    for (let n = 0; n < 6; n++) {
      for (const group of groups) {
        await client.sendMessage({
          QueueUrl: queueUrl,
          MessageGroupId: group,
          MessageDeduplicationId: `${group}${n}`,
          MessageBody: JSON.stringify({ group, n }),
        })
      }
    }
    let failures = 2
    await start(
      (order) => {
        const { group, n } = order as Order & { group: string }
        if (group === 'x' && n === 2 && failures-- > 0) throw new Error('not yet')
        seen.push(`${group}${n}`)
      },
      { batchSize: 10 },
    )
    await expect.poll(() => count(verdicts, 'handled'), { timeout: 30_000 }).toBe(12)
    for (const group of groups) {
      const order = seen.filter((name) => name.startsWith(group))
      expect(order).toEqual(Array.from({ length: 6 }, (_, n) => `${group}${n}`))
    }
    expect(seen.indexOf('y5')).toBeLessThan(seen.indexOf('x2'))
  }, 40_000)
})
