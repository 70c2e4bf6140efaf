import { SQS } from '@aws-sdk/client-sqs'
import { unscoped } from '@retryproof/core'
import { consume } from '../../src/sqs.ts'
import type { DrillBroker, Order, Place } from './place.ts'

/** A client of a server on this machine. */
export function openSqs(endpoint: string): SQS {
  const credentials = { accessKeyId: 'none', secretAccessKey: 'none' }
  return new SQS({ endpoint, region: 'local', credentials, maxAttempts: 10 })
}

export function sqsBroker(): DrillBroker {
  let client: SQS | undefined
  const open = ({ url }: Place) => {
    client ??= openSqs(url)
    return client
  }
  const urlsOf = ({ url, name }: Place) => ({
    queue: `${url}/000000000000/${name}`,
    dead: `${url}/000000000000/${name}-dead`,
  })

  return {
    service: 'sqs',
    async prepare(place) {
      const sqs = open(place)
      await sqs.createQueue({ QueueName: `${place.name}-dead` })
      await sqs.createQueue({ QueueName: place.name, Attributes: { VisibilityTimeout: '5' } })
    },
    async publish(place, orders) {
      const sqs = open(place)
      const batches: Order[][] = []
      for (let i = 0; i < orders.length; i += 10) batches.push(orders.slice(i, i + 10))
      const send = async () => {
        for (let batch = batches.pop(); batch; batch = batches.pop()) {
          const Entries = batch.map((order, i) => ({ Id: String(i), MessageBody: JSON.stringify(order) }))
          const { Failed = [] } = await sqs.sendMessageBatch({ QueueUrl: urlsOf(place).queue, Entries })
          if (Failed.length > 0) throw new Error(`Not sent: ${JSON.stringify(Failed)}`)
        }
      }
      await Promise.all(Array.from({ length: 8 }, send))
    },
    consume: (place, idempotency, options, handler) =>
      consume(
        idempotency,
        {
          ...options,
          client: open(place),
          queueUrl: urlsOf(place).queue,
          deadLetters: urlsOf(place).dead,
          scope: unscoped,
          id: ({ id }: Order) => id,
        },
        handler,
      ),
    async left(place) {
      const { Attributes: found = {} } = await open(place).getQueueAttributes({
        QueueUrl: urlsOf(place).queue,
        AttributeNames: ['ApproximateNumberOfMessages', 'ApproximateNumberOfMessagesNotVisible'],
      })
      return Number(found.ApproximateNumberOfMessages) + Number(found.ApproximateNumberOfMessagesNotVisible)
    },
    async deadLetters(place) {
      const ids: string[] = []
      for (;;) {
        const { Messages = [] } = await open(place).receiveMessage({
          QueueUrl: urlsOf(place).dead,
          MaxNumberOfMessages: 10,
          VisibilityTimeout: 600,
        })
        if (Messages.length === 0) return ids
        ids.push(...Messages.map(({ Body = '' }) => String(JSON.parse(Body).id)))
      }
    },
    close: async () => client?.destroy(),
  }
}
