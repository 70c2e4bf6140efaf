import { type Message, SQS } from '@aws-sdk/client-sqs'
import { unscoped } from '@retryproof/core'
import { REASON_HEADER } from '../../src/index.ts'
import { consume } from '../../src/sqs.ts'
import { NUMBER_HEADER } from './hostile-messages.ts'
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
    async publishRaw(place, messages) {
      const sqs = open(place)
      const rest = [...messages]
      const send = async () => {
        for (let message = rest.pop(); message; message = rest.pop()) {
          const attributes = Object.entries(message.headers).map(([name, value]) => [
            name,
            { DataType: 'String', StringValue: value },
          ])
          await sqs.sendMessage({
            QueueUrl: urlsOf(place).queue,
            MessageBody: message.body.toString(),
            MessageAttributes: Object.fromEntries(attributes),
          })
        }
      }
      await Promise.all(Array.from({ length: 8 }, send))
    },
    async letters(place) {
      return (await lettersOf(place)).map(({ Body = '', MessageAttributes = {} }) => ({
        reason: MessageAttributes[REASON_HEADER]?.StringValue,
        number: MessageAttributes[NUMBER_HEADER]?.StringValue,
        body: Body,
      }))
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
    deadLetters: async (place) => (await lettersOf(place)).map(({ Body = '' }) => String(JSON.parse(Body).id)),
    close: async () => client?.destroy(),
  }

  async function lettersOf(place: Place): Promise<readonly Message[]> {
    const letters: Message[] = []
    for (;;) {
      const { Messages = [] } = await open(place).receiveMessage({
        QueueUrl: urlsOf(place).dead,
        MaxNumberOfMessages: 10,
        VisibilityTimeout: 600,
        MessageAttributeNames: ['All'],
      })
      if (Messages.length === 0) return letters
      letters.push(...Messages)
    }
  }
}
