/** Queues of SQS for the suite. */
import { randomBytes } from 'node:crypto'
import type { Message, MessageAttributeValue, SQS } from '@aws-sdk/client-sqs'
import type { TestLetter, TestQueue } from '@retryproof/conformance/messaging'
import { REASON_HEADER, ROUND_HEADER } from '../src/index.ts'
import { consume } from '../src/sqs.ts'

/** Makes a queue, and gives its URL. */
export async function createQueue(client: SQS, name: string, attributes: Record<string, string> = {}): Promise<string> {
  const Attributes = { ...attributes, ...(name.endsWith('.fifo') && { FifoQueue: 'true' }) }
  const { QueueUrl = '' } = await client.createQueue({ QueueName: name, Attributes })
  return QueueUrl
}

const text = (value: string): MessageAttributeValue => ({ DataType: 'String', StringValue: value })

/** In a FIFO queue, all messages of the suite are of one group. */
export async function openSqsQueue(client: SQS, kind: 'standard' | 'FIFO', visibilityMs: number): Promise<TestQueue> {
  const suffix = kind === 'FIFO' ? '.fifo' : ''
  const name = `suite-${randomBytes(6).toString('hex')}`
  const queueUrl = await createQueue(client, `${name}${suffix}`, { VisibilityTimeout: String(visibilityMs / 1000) })
  const dead = await createQueue(client, `${name}-dead${suffix}`)
  const letters: (TestLetter & { readonly message: Message })[] = []

  async function send(body: string, attributes: Record<string, MessageAttributeValue> = {}): Promise<void> {
    const fifo = suffix && { MessageGroupId: 'suite', MessageDeduplicationId: randomBytes(8).toString('hex') }
    await client.sendMessage({ QueueUrl: queueUrl, MessageBody: body, MessageAttributes: attributes, ...(fifo || {}) })
  }

  return {
    publish: ({ body, headers = {} }) =>
      send(body, Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, text(value)]))),
    async consume(idempotency, options, handler) {
      return consume(idempotency, { ...options, client, queueUrl, deadLetters: dead } as never, handler as never)
    },
    async deadLetters() {
      for (;;) {
        const { Messages = [] } = await client.receiveMessage({
          QueueUrl: dead,
          MaxNumberOfMessages: 10,
          MessageAttributeNames: ['All'],
        })
        if (Messages.length === 0) return letters
        for (const message of Messages) {
          const read = (name: string) => message.MessageAttributes?.[name]?.StringValue
          letters.push({ body: message.Body ?? '', reason: read(REASON_HEADER), round: read(ROUND_HEADER), message })
          await client.deleteMessage({ QueueUrl: dead, ReceiptHandle: message.ReceiptHandle })
        }
      }
    },
    async redrive(letter) {
      const { message } = letter as (typeof letters)[number]
      await send(message.Body ?? '', message.MessageAttributes)
    },
    async close() {
      await Promise.all([queueUrl, dead].map((QueueUrl) => client.deleteQueue({ QueueUrl })))
    },
  }
}
