/** Options that no consumer can work with, as in JavaScript: each is refused by name, before a broker is asked. */
import { createIdempotency, unscoped } from '@retryproof/core'
import { memoryStore } from '@retryproof/memory'
import { describe, expect, it } from 'vitest'
import { idempotent } from '../src/bullmq.ts'
import { once } from '../src/index.ts'
import { consume as kafka } from '../src/kafka.ts'
import { consume as nats } from '../src/nats.ts'
import { consume as rabbitmq } from '../src/rabbitmq.ts'
import { consume as sqs } from '../src/sqs.ts'

const untyped = (value: unknown) => value as never
const idempotency = untyped(createIdempotency({ store: memoryStore(), namespace: 'shop' }))
const work = () => undefined
const text = 'amqp://app:hunter2@localhost'

const bindings = [
  ['RabbitMQ', rabbitmq, ['channel', 'queue']],
  ['Kafka', kafka, ['consumer', 'producer', 'deadLetters', 'id']],
  ['NATS', nats, ['consumer', 'jetstream', 'deadLetters']],
  ['SQS', sqs, ['client', 'queueUrl', 'deadLetters']],
  ['BullMQ', idempotent, ['deadLetters']],
] as const

/** Stands for every client and queue: it has the methods by which they are told. */
const client = Object.fromEntries(
  ['consume', 'run', 'send', 'info', 'publish', 'receiveMessage', 'add'].map((name) => [name, work]),
)
const standIn = (name: string) => (['queue', 'queueUrl'].includes(name) ? 'orders' : name === 'id' ? work : client)

describe.each(bindings)('%s', (broker, consume, required) => {
  const isText = (name: string) =>
    ['queue', 'queueUrl'].includes(name) || (name === 'deadLetters' && broker !== 'BullMQ')
  const options = {
    ...Object.fromEntries(required.map((name) => [name, isText(name) ? 'orders' : standIn(name)])),
    scope: unscoped,
  }
  const attempt = async (given: unknown, instance = idempotency) => consume(instance, untyped(given), work)

  it('refuses what is no options, and what is no instance', async () => {
    await expect(attempt(undefined)).rejects.toThrow(/^options: must be an object with .*scope.*; got undefined$/)
    await expect(attempt(options, untyped(null))).rejects.toThrow(
      /^idempotency: must be what createIdempotency\(\) gives/,
    )
  })

  it('refuses a mistyped name with the one that was meant, and with all options of its own', async () => {
    await expect(attempt({ ...options, scpoe: unscoped })).rejects.toThrow(
      new RegExp(`^scpoe: is not an option here \\(did you mean scope\\?\\); there are .*${required[0]}.*scope.*lease`),
    )
  })

  it.each(required.map((name) => [name]))('refuses what is no %s by its kind', async (name) => {
    for (const wrong of [undefined, null, 5, isText(name) ? client : text]) {
      const error: unknown = await attempt({ ...options, [name]: wrong }).catch((thrown: unknown) => thrown)
      expect(error).toMatchObject({ code: 'IDEMPOTENCY_INVALID_OPTION', option: name })
      expect(String(error)).toMatch(
        new RegExp(`: ${name}: must be .*, got (undefined|null|number|string|an object of Object)$`),
      )
    }
  })
})

it('refuses a message that nothing could put away', async () => {
  const message = { operation: 'mail', id: 'm1', scope: unscoped }
  await expect(once(idempotency, untyped(message), work)).rejects.toThrow(
    'deadLetter: must be a function, got undefined',
  )
})
