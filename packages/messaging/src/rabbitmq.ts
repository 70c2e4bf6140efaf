/** RabbitMQ: a queue, over a confirm channel of amqplib. */
import { setMaxListeners } from 'node:events'
import { type Duration, type Idempotency, IdempotencyInvalidOptionError } from '@retryproof/core'
import { createTurns, sleep, toMs } from '@retryproof/core/internal'
import type { RabbitAddress, RabbitChannel, RabbitMessage } from './brokers/rabbitmq/client.ts'
import { createLetters } from './brokers/rabbitmq/letters.ts'
import { createRoom } from './brokers/rabbitmq/room.ts'
import { createConsumer } from './consumer/consumer.ts'
import type { ConsumerHandle, ConsumerOptions, MessageHandler } from './consumer/consumer-options.ts'
import type { Delivery } from './consumer/delivery.ts'
import { refuseCircle } from './consumer/refuse-circle.ts'
import { requireOptions } from './consumer/require-options.ts'

export type { RabbitAddress, RabbitChannel, RabbitMessage } from './brokers/rabbitmq/client.ts'

export interface RabbitOptions<Body, InTransaction extends boolean>
  extends ConsumerOptions<RabbitMessage, Body, InTransaction> {
  /** Serves this consumer alone. When it closes, so does the consumer. */
  readonly channel: RabbitChannel
  /** The queue that is consumed. It must exist. */
  readonly queue: string
  /** Leads to a queue that keeps the dead letters. */
  readonly deadLetters: RabbitAddress
  /** Names the consumer group. @default the queue */
  readonly operation?: string
  /**
   * The broker's limit for an unacknowledged message: `consumer_timeout`, or `x-consumer-timeout` of the queue. The
   * broker closes the channel past it, so `maxRun` must be 5 minutes shorter. @default '30m'
   */
  readonly consumerTimeout?: Duration
}

/** The time that reading, a dead letter and acknowledging may take beside the handler. */
const MARGIN_MS = 5 * 60_000

/**
 * Handles each message of a queue once. Its id is the property `messageId`, unless `id` says otherwise. A delay costs no
 * delivery: the message stays with its consumer. Up to ten times `concurrency` messages that wait for their delay hold up
 * no other.
 *
 * @example
 * import { createIdempotency, unscoped } from '@retryproof/core'
 * import { memoryStore } from '@retryproof/memory'
 * import { consume } from '@retryproof/messaging/rabbitmq'
 * import amqp from 'amqplib'
 *
 * const idempotency = createIdempotency({ store: memoryStore(), namespace: 'shop' })
 * const connection = await amqp.connect('amqp://localhost')
 * const channel = await connection.createConfirmChannel()
 * const deadLetters = { exchange: '', routingKey: 'orders-dead' }
 * const { closed } = await consume(idempotency, { channel, queue: 'orders', deadLetters, scope: unscoped }, async (order) => {
 *   console.log('ship', order)
 * })
 * await closed
 *
 * @throws {@link IdempotencyInvalidOptionError} when an option cannot be used
 * @throws {@link IdempotencyInvalidOptionError} when `deadLetters` leads to the queue itself
 */
export async function consume<Tx, Body = unknown, InTransaction extends boolean = false>(
  idempotency: Idempotency<Tx>,
  options: RabbitOptions<Body, InTransaction>,
  handler: MessageHandler<RabbitMessage, Body, Tx, InTransaction>,
): Promise<ConsumerHandle> {
  const required = {
    channel: { what: 'a confirm channel of amqplib', method: 'consume' },
    queue: { what: 'the name of a queue' },
  }
  requireOptions(idempotency, options, required, ['deadLetters', 'operation', 'consumerTimeout'])
  const { channel, queue, deadLetters, operation = queue, consumerTimeout = '30m', ...shared } = options
  if (options.operation === undefined && queue.startsWith('amq.')) {
    throw new IdempotencyInvalidOptionError('operation', `is needed: the name of '${queue}' is another at each start`)
  }
  const at = createConsumer(idempotency, operation, shared, handler)
  const letters = createLetters(channel, readDeadLetters(deadLetters, queue), queue)
  const holdMs = toMs('consumerTimeout', consumerTimeout) - at.read.maxRunMs - MARGIN_MS
  if (holdMs < 0) {
    throw new IdempotencyInvalidOptionError(
      'maxRun',
      `must be 5 minutes shorter than \`consumerTimeout\` (${consumerTimeout}), at which the broker closes the channel`,
    )
  }
  const tooLong = () => new Error(`A message of '${queue}' waited too long for a handler, and is given back.`)
  const inTurn = createTurns(at.concurrency, holdMs, tooLong)
  const closing = new AbortController()
  const letGo = AbortSignal.any([at.stopping, closing.signal])
  // each message that waits listens
  setMaxListeners(0, letGo)

  function deliveryOf(message: RabbitMessage, tries: number): Delivery<RabbitMessage> {
    const { messageId, headers = {} } = message.properties
    const { exchange, routingKey } = message.fields
    return {
      message,
      body: () => message.content,
      messageId: typeof messageId === 'string' ? messageId : undefined,
      deliveries: countOf(message) + tries,
      header(name) {
        const value = Object.hasOwn(headers, name) ? headers[name] : undefined
        return typeof value === 'string' ? value : undefined
      },
      ack: () => channel.ack(message),
      origin: { 'retryproof-exchange': exchange, 'retryproof-routing-key': routingKey },
      publish: (letter) => letters.publish(message, letter),
      isRefusal: (error) => ['RangeError', 'TypeError'].includes(Object(error).name),
    }
  }

  /** Tries a message until it is done, and gives it back before the broker's limit. Never throws. */
  async function handle(message: RabbitMessage): Promise<void> {
    const receivedAt = performance.now()
    for (let tries = 0; ; tries++) {
      let delayMs: number | undefined
      try {
        delayMs = await inTurn(async () => (letGo.aborted ? 0 : at.consume(deliveryOf(message, tries))))
      } catch (error) {
        at.failed(error)
        return giveBack(message)
      }
      if (delayMs === undefined) return
      const leftMs = holdMs - (performance.now() - receivedAt)
      await room.wait(sleep(Math.min(delayMs, leftMs), letGo))
      // an unacknowledged message of a closed channel is in its queue again
      if (closing.signal.aborted) return
      if (at.stopping.aborted || delayMs > leftMs) return giveBack(message)
    }
  }

  function giveBack(message: RabbitMessage): void {
    try {
      channel.nack(message, false, true)
    } catch (error) {
      at.failed(error)
    }
  }

  let finish: { resolve(): void; reject(error: Error): void } = { resolve: () => {}, reject: () => {} }
  const closed = new Promise<void>((resolve, reject) => {
    finish = { resolve, reject }
  })
  function onMessage(message: RabbitMessage | null): void {
    if (message) void handle(message)
    else finish.reject(new Error(`RabbitMQ ended the consumer of '${queue}': was the queue deleted?`))
  }
  let reason: unknown
  channel.on('error', (error) => {
    reason = error
  })
  channel.on('close', () => {
    closing.abort()
    letters.close()
    if (at.stopping.aborted) finish.resolve()
    else finish.reject(new Error(`The channel of the consumer of '${queue}' closed.`, { cause: reason }))
  })
  const room = createRoom(channel, queue, { concurrency: at.concurrency, onMessage, ended: letGo, failed: at.failed })
  await room.open().catch((error) => {
    // the caller gets this error, and no `closed`
    closed.catch(() => {})
    throw error
  })

  let cancelled: Promise<unknown> | undefined
  async function cancel(): Promise<void> {
    if (!closing.signal.aborted) await room.close()
  }
  return {
    closed,
    async drain(drainOptions) {
      cancelled ??= cancel()
      const drained = await at.drain(drainOptions, cancelled)
      finish.resolve()
      return drained
    },
  }
}

/** Counts deliveries. Quorum queues count them; classic ones only say that there was another, and pass on any header. */
function countOf({ properties, fields }: RabbitMessage): number {
  const count = properties.headers?.['x-delivery-count']
  return Number.isSafeInteger(count) && Number(count) >= 0 ? Number(count) + 1 : fields.redelivered ? 2 : 1
}

function readDeadLetters(deadLetters: RabbitAddress, queue: string): RabbitAddress {
  const { exchange, routingKey } = Object(deadLetters) as Partial<RabbitAddress>
  if (typeof exchange !== 'string' || typeof routingKey !== 'string') {
    throw new IdempotencyInvalidOptionError('deadLetters', 'must be { exchange, routingKey } of a queue for them')
  }
  refuseCircle(exchange === '' && routingKey === queue, 'queue')
  return { exchange, routingKey }
}
