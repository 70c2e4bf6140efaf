/** Publishes orders with confirms, and ships each of them once. */
import { createIdempotency, unscoped } from '@retryproof/core'
import type { ConsumerHandle } from '@retryproof/messaging'
import { consume } from '@retryproof/messaging/rabbitmq'
import { postgresStore } from '@retryproof/postgres'
import type { ChannelModel, ConfirmChannel } from 'amqplib'
import type { Pool } from 'pg'
import type { Publish } from './orders.ts'

const SHIPMENTS = 'shipments'
const DEAD = 'shipments-dead'

export async function prepareQueues(channel: ConfirmChannel, exchange: string): Promise<void> {
  await channel.assertExchange(exchange, 'fanout', { durable: true })
  for (const queue of [SHIPMENTS, DEAD]) await channel.assertQueue(queue, { durable: true })
  await channel.bindQueue(SHIPMENTS, exchange, '')
}

export function publishTo(channel: ConfirmChannel, exchange: string): Publish {
  return (messageId, body) =>
    new Promise((resolve, reject) => {
      const bytes = Buffer.from(JSON.stringify(body))
      const confirmed = (error: unknown) => (error ? reject(error) : resolve(messageId))
      channel.publish(exchange, '', bytes, { messageId, persistent: true }, confirmed)
    })
}

/** A message may come twice, with one id; the order is shipped once. */
export async function startShipping(pool: Pool, connection: ChannelModel): Promise<ConsumerHandle> {
  const idempotency = createIdempotency({ store: postgresStore({ pool }), namespace: 'shipping' })
  return consume(
    idempotency,
    {
      channel: await connection.createConfirmChannel(),
      queue: SHIPMENTS,
      deadLetters: { exchange: '', routingKey: DEAD },
      scope: unscoped,
      parse: (bytes) => JSON.parse(new TextDecoder().decode(bytes)) as { readonly order: number },
      transaction: true,
    },
    async ({ order }, { tx }) => {
      await tx.query('INSERT INTO shipments (order_id) VALUES ($1)', [order])
    },
  )
}
