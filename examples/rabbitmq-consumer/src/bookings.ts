/** Orders come in on a queue; each is booked once, in the transaction that also remembers its message. */
import { createIdempotency, unscoped } from '@retryproof/core'
import type { ConsumerHandle } from '@retryproof/messaging'
import { consume } from '@retryproof/messaging/rabbitmq'
import { migrate, postgresStore } from '@retryproof/postgres'
import { type ChannelModel, connect } from 'amqplib'
import type pg from 'pg'

export interface Order {
  readonly id: string
  readonly customer: string
  readonly amount: number
}

export interface Broker {
  readonly url: string
  readonly queue: string
}

/** The queue in which a person looks at failed bookings. */
export const deadLettersOf = ({ queue }: Broker) => `${queue}-dead`

export async function prepareDatabase(pool: pg.Pool): Promise<void> {
  await migrate({ pool })
  // one query is one transaction: of processes that start together, one creates the table and the others wait for it
  await pool.query(`
    SELECT pg_advisory_xact_lock(hashtext('bookings'));
    CREATE TABLE IF NOT EXISTS bookings (order_id text NOT NULL, customer text NOT NULL, amount integer NOT NULL)
  `)
}

export async function prepareQueues(connection: ChannelModel, broker: Broker): Promise<void> {
  const channel = await connection.createChannel()
  // quorum queues are for several servers: RabbitMQ 3.10 may leave one without a leader whose only server was killed
  for (const queue of [broker.queue, deadLettersOf(broker)]) await channel.assertQueue(queue, { durable: true })
  await channel.close()
}

/** A message without the content of an order is a dead letter. */
function readOrder(bytes: Uint8Array): Order {
  const { id, customer, amount } = JSON.parse(new TextDecoder().decode(bytes))
  if (typeof customer !== 'string' || !Number.isInteger(amount)) throw new TypeError('This is no order.')
  return { id, customer, amount }
}

/** One connection with its consumer. `closed` rejects when either of them ends. */
export async function startBookings(pool: pg.Pool, broker: Broker): Promise<ConsumerHandle & { end(): Promise<void> }> {
  const idempotency = createIdempotency({ store: postgresStore({ pool }), namespace: 'shop' })
  const connection = await connect(broker.url)
  // `closed` also reports the error that ends a connection
  connection.on('error', () => {})
  await prepareQueues(connection, broker)
  const consuming = await consume(
    idempotency,
    {
      channel: await connection.createConfirmChannel(),
      queue: broker.queue,
      deadLetters: { exchange: '', routingKey: deadLettersOf(broker) },
      scope: unscoped,
      parse: readOrder,
      id: (order) => order.id,
      transaction: true,
      // a booking takes milliseconds, so that nobody has to wait long for one whose process was killed
      lease: '5s',
      redeliveryDelay: { first: '100ms', max: '2s' },
    },
    async ({ id, customer, amount }, { tx }) => {
      await tx.query('INSERT INTO bookings (order_id, customer, amount) VALUES ($1, $2, $3)', [id, customer, amount])
    },
  )
  return {
    ...consuming,
    async end() {
      await consuming.drain()
      await connection.close()
    },
  }
}
