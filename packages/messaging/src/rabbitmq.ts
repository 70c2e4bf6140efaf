/** RabbitMQ: a queue, over a confirm channel of amqplib. */
import { randomUUID } from 'node:crypto'
import { type Idempotency, IdempotencyInvalidOptionError } from '@retryproof/core'
import { sleep } from '@retryproof/core/internal'
import { createConsumer } from './consumer/consumer.ts'
import type { ConsumerHandle, ConsumerOptions, MessageHandler } from './consumer/consumer-options.ts'
import { deadLetterHeaders, REASON_HEADER } from './consumer/dead-letter-headers.ts'
import type { Delivery } from './consumer/delivery.ts'
import type { DeadLetter } from './once/verdict.ts'

/** A message, as amqplib gives it. */
export interface RabbitMessage {
  readonly content: Uint8Array
  readonly fields: { readonly redelivered: boolean; readonly exchange: string; readonly routingKey: string }
  readonly properties: { readonly messageId?: unknown; readonly headers?: Record<string, unknown> | undefined }
}

/** A confirm channel, as `connection.createConfirmChannel()` of amqplib gives it. */
export interface RabbitChannel {
  prefetch(count: number): Promise<unknown>
  consume(queue: string, onMessage: (message: RabbitMessage | null) => void): Promise<{ readonly consumerTag: string }>
  cancel(consumerTag: string): Promise<unknown>
  ack(message: RabbitMessage): void
  nack(message: RabbitMessage, allUpTo: boolean, requeue: boolean): void
  publish(
    exchange: string,
    key: string,
    content: Uint8Array,
    options: object,
    confirmed: (error: unknown) => void,
  ): boolean
  on(event: 'close', listener: () => void): unknown
  on(event: 'error', listener: (error: Error) => void): unknown
  on(event: 'return', listener: (message: RabbitMessage) => void): unknown
}

export interface RabbitOptions<Body, InTransaction extends boolean>
  extends ConsumerOptions<RabbitMessage, Body, InTransaction> {
  /** For this consumer alone. When it closes, so does the consumer. */
  readonly channel: RabbitChannel
  readonly queue: string
  /** Where dead letters are published: it must lead to a queue that keeps them. */
  readonly deadLetters: { readonly exchange: string; readonly routingKey: string }
  /** The consumer group. @default the queue */
  readonly operation?: string
}

/**
 * A message waits for its next try in the hands of its consumer, and after so long goes back to the queue: brokers close
 * a channel on which one is unacknowledged for half an hour.
 */
const MAX_HOLD_MS = 600_000

/**
 * Handles each message of a queue once. Its id is the property `messageId`, unless `id` says otherwise. A delay costs no
 * delivery: the message stays where it is, and counts towards `concurrency` until it is done.
 *
 * @throws IdempotencyInvalidOptionError
 */
export async function consume<Tx, Body = unknown, InTransaction extends boolean = false>(
  idempotency: Idempotency<Tx>,
  { channel, queue, deadLetters, operation = queue, ...options }: RabbitOptions<Body, InTransaction>,
  handler: MessageHandler<RabbitMessage, Body, Tx, InTransaction>,
): Promise<ConsumerHandle> {
  const at = createConsumer(idempotency, operation, options, handler)
  const { exchange, routingKey } = readDeadLetters(deadLetters, queue)
  const closing = new AbortController()
  const unroutable = new Set<unknown>()
  const letGo = AbortSignal.any([at.stopping, closing.signal])

  async function start(): Promise<{ readonly consumerTag: string }> {
    await channel.prefetch(at.concurrency)
    return channel.consume(queue, onMessage)
  }

  function deliveryOf(message: RabbitMessage, tries: number, receivedAt: number): Delivery<RabbitMessage> {
    const { messageId, headers = {} } = message.properties
    return {
      message,
      body: message.content,
      messageId: typeof messageId === 'string' ? messageId : undefined,
      deliveries: countOf(message) + tries,
      isRedriven: headers[REASON_HEADER] !== undefined,
      async ack() {
        channel.ack(message)
      },
      async redeliver(delayMs) {
        await sleep(delayMs, letGo)
        // an unacknowledged message of a closed channel is in its queue again
        if (closing.signal.aborted) return
        const isHeldLong = performance.now() - receivedAt > MAX_HOLD_MS
        if (at.stopping.aborted || isHeldLong) channel.nack(message, false, true)
        else await at.consume(deliveryOf(message, tries + 1, receivedAt))
      },
      deadLetter: (letter) => publishDeadLetter(message, letter),
    }
  }

  /** A message that no queue takes is confirmed as well, having been returned before. */
  function publishDeadLetter(message: RabbitMessage, letter: DeadLetter): Promise<void> {
    const mark = randomUUID()
    const { exchange: from, routingKey: key } = message.fields
    const headers = {
      ...message.properties.headers,
      'x-delivery-count': undefined,
      ...deadLetterHeaders(operation, letter),
      'retryproof-exchange': from,
      'retryproof-routing-key': key,
      [MARK]: mark,
    }
    // its time to live, and whose it was, were those of the message
    const { expiration: _, userId: __, ...properties } = message.properties as Record<string, unknown>
    const asked = { ...properties, headers, persistent: true, mandatory: true }
    return new Promise((resolve, reject) => {
      const stop = () => reject(new Error('The channel closed before the dead letter was confirmed.'))
      closing.signal.addEventListener('abort', stop, { once: true })
      channel.publish(exchange, routingKey, message.content, asked, (error) => {
        closing.signal.removeEventListener('abort', stop)
        if (error) reject(error)
        else if (unroutable.delete(mark)) reject(new Error(`No queue takes the dead letters of '${queue}'.`))
        else resolve()
      })
    })
  }

  function onMessage(message: RabbitMessage | null): void {
    if (message) void at.consume(deliveryOf(message, 0, performance.now()))
    else finish.reject(new Error(`RabbitMQ ended the consumer of '${queue}': was the queue deleted?`))
  }
  let finish: { resolve(): void; reject(error: Error): void } = { resolve: () => {}, reject: () => {} }
  const closed = new Promise<void>((resolve, reject) => {
    finish = { resolve, reject }
  })
  let reason: unknown
  channel.on('error', (error) => {
    reason = error
  })
  channel.on('close', () => {
    closing.abort()
    if (at.stopping.aborted) finish.resolve()
    else finish.reject(new Error(`The channel of the consumer of '${queue}' closed.`, { cause: reason }))
  })
  channel.on('return', (message) => unroutable.add(message.properties.headers?.[MARK]))
  const { consumerTag } = await start().catch((error) => {
    // the caller is told this, and has no `closed` to look at
    closed.catch(() => {})
    throw error
  })

  let cancelled: Promise<unknown> | undefined
  async function cancel(): Promise<void> {
    if (!closing.signal.aborted) await channel.cancel(consumerTag)
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

const MARK = 'retryproof-mark'

function countOf({ properties, fields }: RabbitMessage): number {
  // quorum queues count; classic ones only say that there was another
  const count = properties.headers?.['x-delivery-count']
  return typeof count === 'number' ? count + 1 : fields.redelivered ? 2 : 1
}

function readDeadLetters(deadLetters: RabbitOptions<unknown, boolean>['deadLetters'], queue: string) {
  const { exchange, routingKey } = Object(deadLetters) as Partial<RabbitOptions<unknown, boolean>['deadLetters']>
  if (typeof exchange !== 'string' || typeof routingKey !== 'string') {
    throw new IdempotencyInvalidOptionError('deadLetters', 'must be { exchange, routingKey } of a queue for them')
  }
  if (exchange === '' && routingKey === queue) {
    throw new IdempotencyInvalidOptionError('deadLetters', 'must not lead to the queue itself: they would go round')
  }
  return { exchange, routingKey }
}
