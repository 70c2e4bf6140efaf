/** Queues of RabbitMQ for the suite. */
import { randomBytes } from 'node:crypto'
import type { TestLetter, TestQueue } from '@retryproof/conformance/messaging'
import { type ConfirmChannel, connect, type GetMessage } from 'amqplib'
import { REASON_HEADER, ROUND_HEADER } from '../src/index.ts'
import { consume } from '../src/rabbitmq.ts'

/** `change`: what consumers are given instead of their channel. */
export async function openRabbitQueue(
  url: string,
  type: 'quorum' | 'classic',
  change = (channel: ConfirmChannel): ConfirmChannel => channel,
): Promise<TestQueue> {
  const queue = `suite-${randomBytes(6).toString('hex')}`
  const dead = `${queue}-dead`
  const connection = await connect(url)
  connection.on('error', () => {})
  const channel = await connection.createConfirmChannel()
  await channel.assertQueue(queue, { durable: true, arguments: { 'x-queue-type': type } })
  await channel.assertQueue(dead, { durable: true })
  const letters: (TestLetter & { readonly message: GetMessage })[] = []
  let cut = async () => {}

  return {
    async publish({ id, body, headers }) {
      const options = { persistent: true, headers, ...(id !== undefined && { messageId: id }) }
      channel.sendToQueue(queue, Buffer.from(body), options)
      await channel.waitForConfirms()
    },
    async consume(idempotency, options, handler) {
      const own = await connection.createConfirmChannel()
      own.on('error', () => {})
      cut = async () => {
        await own.close()
      }
      const deadLetters = { exchange: '', routingKey: dead }
      return consume(idempotency, { ...options, channel: change(own), queue, deadLetters } as never, handler as never)
    },
    cut: () => cut(),
    async deadLetters() {
      for (;;) {
        const message = await channel.get(dead, { noAck: true })
        if (!message) return letters
        const { [REASON_HEADER]: reason, [ROUND_HEADER]: round } = message.properties.headers ?? {}
        letters.push({ body: message.content.toString(), reason, round, message })
      }
    },
    async redrive(letter) {
      const { message } = letter as (typeof letters)[number]
      channel.sendToQueue(queue, message.content, { ...message.properties, persistent: true })
      await channel.waitForConfirms()
    },
    async close() {
      await channel.deleteQueue(queue)
      await channel.deleteQueue(dead)
      await connection.close()
    },
  }
}
