/** NATS JetStream: a pull consumer with explicit acknowledgement. */
import { headers as newHeaders } from '@nats-io/nats-core'
import { type Idempotency, IdempotencyInvalidOptionError, isIdempotencyError } from '@retryproof/core'
import { sleep } from '@retryproof/core/internal'
import { createConsumer } from './consumer/consumer.ts'
import type { ConsumerHandle, ConsumerOptions, MessageHandler } from './consumer/consumer-options.ts'
import { deadLetterHeaders, ID_HEADER, REASON_HEADER } from './consumer/dead-letter-headers.ts'
import type { Delivery } from './consumer/delivery.ts'
import { deliveriesNeeded, growingDelay, requireDeliveries } from './once/redelivery-delay.ts'
import type { DeadLetter } from './once/verdict.ts'

/** A message, as `@nats-io/jetstream` gives it. */
export interface NatsMessage {
  readonly subject: string
  readonly seq: number
  readonly data: Uint8Array
  readonly headers?: NatsHeaders | undefined
  readonly info: { readonly stream: string; readonly deliveryCount: number }
  ackAck(): Promise<boolean>
  nak(delayMs?: number): void
  working(): void
}

export interface NatsHeaders {
  keys(): string[]
  values(name: string): string[]
  get(name: string): string
}

/** A pull consumer, as `jetstream.consumers.get(stream, name)` gives it. */
export interface NatsConsumer {
  info(): Promise<{ readonly name: string; readonly config: NatsConsumerConfig }>
  next(options: { expires: number }): Promise<NatsMessage | null>
}

export interface NatsConsumerConfig {
  readonly ack_policy?: string
  readonly ack_wait?: number
  readonly max_deliver?: number
  readonly backoff?: readonly number[]
}

export interface NatsOptions<Body, InTransaction extends boolean>
  extends ConsumerOptions<NatsMessage, Body, InTransaction> {
  readonly consumer: NatsConsumer
  /** `jetstream(connection)`: publishes the dead letters. */
  readonly jetstream: { publish(subject: string, data: Uint8Array, options: NatsPublishOptions): Promise<unknown> }
  /** The subject of the dead letters; a stream must keep it. */
  readonly deadLetters: string
  /** The consumer group. @default the consumer's name */
  readonly operation?: string
}

interface NatsPublishOptions {
  readonly msgID: string
  readonly headers: ReturnType<typeof newHeaders>
}

const NANOSECONDS = 1_000_000
const MESSAGE_ID = 'Nats-Msg-Id'
/** How long a question for the next message stays open; so long does it take until a consumer stops. The least there is. */
const ASK_MS = 1000
const PAUSES = { firstMs: 100, maxMs: 5000 }

/**
 * Handles each message of a consumer once. Its id is the header `Nats-Msg-Id`, unless `id` says otherwise.
 *
 * @throws IdempotencyInvalidOptionError: also where the consumer gives messages up too early, or acknowledges several at once
 */
export async function consume<Tx, Body = unknown, InTransaction extends boolean = false>(
  idempotency: Idempotency<Tx>,
  { consumer, jetstream, deadLetters, operation, ...options }: NatsOptions<Body, InTransaction>,
  handler: MessageHandler<NatsMessage, Body, Tx, InTransaction>,
): Promise<ConsumerHandle> {
  const { name, config } = await consumer.info()
  const group = operation ?? name
  const at = createConsumer(idempotency, group, options, handler)
  if (typeof deadLetters !== 'string' || deadLetters === '') {
    throw new IdempotencyInvalidOptionError('deadLetters', 'must be the subject of a stream')
  }
  if (config.ack_policy !== 'explicit') {
    throw new IdempotencyInvalidOptionError(
      'consumer',
      `must have the ack_policy 'explicit', got '${config.ack_policy}'`,
    )
  }
  const limit =
    config.max_deliver !== undefined && config.max_deliver > 0 ? config.max_deliver : Number.POSITIVE_INFINITY
  requireDeliveries('consumer', limit, deliveriesNeeded(at.read.delays, at.read.maxAttempts, at.read.leaseMs))
  const patienceMs = Math.min(config.ack_wait ?? 30_000 * NANOSECONDS, ...(config.backoff ?? [])) / NANOSECONDS

  function deliveryOf(message: NatsMessage): Delivery<NatsMessage> {
    const deliveries = message.info.deliveryCount
    const header = (wanted: string) => message.headers?.get(wanted) || undefined
    return {
      message,
      body: message.data,
      messageId: header(ID_HEADER) ?? header(MESSAGE_ID),
      deliveries,
      isLastDelivery: deliveries >= limit,
      isRedriven: header(REASON_HEADER) !== undefined,
      extend: { everyMs: patienceMs / 3, act: () => message.working() },
      ack: () => message.ackAck(),
      async redeliver(delayMs) {
        message.nak(delayMs)
      },
      async deadLetter(letter) {
        await jetstream.publish(deadLetters, message.data, {
          // of one message, the stream of the dead letters keeps one for each group
          msgID: `${group} ${message.info.stream} ${message.seq}`,
          headers: headersOf(message, letter),
        })
      },
    }
  }

  function headersOf(message: NatsMessage, letter: DeadLetter): ReturnType<typeof newHeaders> {
    const headers = newHeaders()
    for (const key of message.headers?.keys() ?? []) {
      if (/^nats-/i.test(key)) continue
      for (const value of message.headers?.values(key) ?? []) headers.append(key, value)
    }
    const id = message.headers?.get(ID_HEADER) || message.headers?.get(MESSAGE_ID)
    if (id) headers.set(ID_HEADER, id)
    headers.set('retryproof-subject', message.subject)
    for (const [key, value] of Object.entries(deadLetterHeaders(group, letter))) headers.set(key, value)
    return headers
  }

  /** Asks for a message only when it can be handled at once, so that none waits here while its time runs. */
  async function work(): Promise<void> {
    for (let failures = 0; !at.stopping.aborted; ) {
      try {
        const message = await consumer.next({ expires: ASK_MS })
        failures = 0
        if (message?.subject === deadLetters) throw readsItsDeadLetters()
        if (message) await at.consume(deliveryOf(message))
      } catch (error) {
        if (isClosed(error) || isIdempotencyError(error, 'IDEMPOTENCY_INVALID_OPTION')) throw error
        at.failed(error)
        failures++
        await sleep(growingDelay(PAUSES, failures), at.stopping)
      }
    }
  }

  const closed = Promise.all(Array.from({ length: at.concurrency }, work)).then(() => undefined)
  return { closed, drain: (options) => at.drain(options, closed) }
}

function readsItsDeadLetters(): IdempotencyInvalidOptionError {
  return new IdempotencyInvalidOptionError(
    'deadLetters',
    'must be a subject that the consumer does not read: they would go round',
  )
}

/** A client that reconnects does so by itself; one that was closed never will. */
function isClosed(error: unknown): boolean {
  const { name, code } = Object(error) as { name?: unknown; code?: unknown }
  return name === 'ClosedConnectionError' || code === 'CONNECTION_CLOSED'
}
