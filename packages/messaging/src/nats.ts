/** NATS JetStream: a pull consumer with explicit acknowledgement. */
import { headers as newHeaders } from '@nats-io/nats-core'
import { type Idempotency, IdempotencyInvalidOptionError, isIdempotencyError } from '@retryproof/core'
import { sleep } from '@retryproof/core/internal'
import type { NatsConsumer, NatsJetStream, NatsMessage } from './brokers/nats/client.ts'
import { readsSubject } from './brokers/nats/subjects.ts'
import { createConsumer } from './consumer/consumer.ts'
import type { ConsumerHandle, ConsumerOptions, MessageHandler } from './consumer/consumer-options.ts'
import type { Delivery, LetterParts } from './consumer/delivery.ts'
import { refuseCircle } from './consumer/refuse-circle.ts'
import { requireOptions } from './consumer/require-options.ts'
import { deliveriesNeeded, growingDelay, requireDeliveries } from './once/redelivery-delay.ts'

export type { NatsConsumer, NatsJetStream, NatsMessage } from './brokers/nats/client.ts'

export interface NatsOptions<Body, InTransaction extends boolean>
  extends ConsumerOptions<NatsMessage, Body, InTransaction> {
  /** A pull consumer of JetStream with explicit acknowledgement. */
  readonly consumer: NatsConsumer
  /** The client, `jetstream(connection)`. It publishes the dead letters. */
  readonly jetstream: NatsJetStream
  /** The subject of the dead letters; a stream must keep it. */
  readonly deadLetters: string
  /** Names the consumer group. Required for a consumer without `durable_name`. @default the consumer's name */
  readonly operation?: string
}

const NANOSECONDS = 1_000_000
const MESSAGE_ID = 'Nats-Msg-Id'
/** The time that a question for the next message stays open, and so the time until a consumer stops. It cannot be shorter. */
const ASK_MS = 1000
const PAUSES = { firstMs: 100, maxMs: 5000 }

/**
 * Handles each message of a consumer once. Its id is the header `Nats-Msg-Id`, unless `id` says otherwise.
 *
 * @example
 * import { jetstream } from '@nats-io/jetstream'
 * import { connect } from '@nats-io/transport-node'
 * import { createIdempotency, unscoped } from '@retryproof/core'
 * import { memoryStore } from '@retryproof/memory'
 * import { consume } from '@retryproof/messaging/nats'
 *
 * const idempotency = createIdempotency({ store: memoryStore(), namespace: 'shop' })
 * const client = jetstream(await connect())
 * const consumer = await client.consumers.get('shop', 'shipping')
 * const { closed } = await consume(
 *   idempotency,
 *   { consumer, jetstream: client, deadLetters: 'dead.orders', scope: unscoped },
 *   async (order) => console.log('ship', order),
 * )
 * await closed
 *
 * @throws {@link IdempotencyInvalidOptionError} when an option cannot be used
 * @throws {@link IdempotencyInvalidOptionError} when the consumer gives messages up too early, acknowledges several at once, has no name of its own, or reads its dead letters
 */
export async function consume<Tx, Body = unknown, InTransaction extends boolean = false>(
  idempotency: Idempotency<Tx>,
  options: NatsOptions<Body, InTransaction>,
  handler: MessageHandler<NatsMessage, Body, Tx, InTransaction>,
): Promise<ConsumerHandle> {
  const required = {
    consumer: { what: 'a pull consumer of JetStream', method: 'info' },
    jetstream: { what: 'jetstream(connection)', method: 'publish' },
    deadLetters: { what: 'the subject of a stream' },
  }
  requireOptions(idempotency, options, required, ['operation'])
  const { consumer, jetstream, deadLetters, operation, ...shared } = options
  const info = await consumer.info()
  const { name, config } = info
  const group = operation ?? name
  const at = createConsumer(idempotency, group, shared, handler)
  if (config.ack_policy !== 'explicit') {
    throw new IdempotencyInvalidOptionError(
      'consumer',
      `must have the ack_policy 'explicit', got '${config.ack_policy}'`,
    )
  }
  if (operation === undefined && !config.durable_name) {
    throw new IdempotencyInvalidOptionError(
      'operation',
      `is needed: the consumer has no durable_name, and the name '${name}' is another at each start`,
    )
  }
  refuseCircle(await readsSubject(info, jetstream, deadLetters), 'subject')
  const limit =
    config.max_deliver !== undefined && config.max_deliver > 0 ? config.max_deliver : Number.POSITIVE_INFINITY
  requireDeliveries('consumer', limit, deliveriesNeeded(at.read.delays, at.read.maxAttempts, at.read.leaseMs))
  const patienceMs = Math.min(config.ack_wait ?? 30_000 * NANOSECONDS, ...(config.backoff ?? [])) / NANOSECONDS

  function deliveryOf(message: NatsMessage): Delivery<NatsMessage> {
    const { stream, deliveryCount: deliveries, timestampNanos } = message.info
    const header = (wanted: string) => message.headers?.get(wanted) || undefined
    return {
      message,
      body: () => message.data,
      messageId: header(MESSAGE_ID),
      deliveries,
      isLastDelivery: deliveries >= limit,
      header,
      extend: { everyMs: patienceMs / 3, act: () => message.working() },
      ack: () => message.ackAck(),
      redeliver: (delayMs) => message.nak(delayMs),
      origin: {
        'retryproof-subject': message.subject,
        'retryproof-stream': stream,
        'retryproof-sequence': String(message.seq),
      },
      publish: (letter) =>
        jetstream.publish(deadLetters, letter.withBody ? message.data : new Uint8Array(), {
          // the stream of the dead letters keeps one for each group; a stream made anew counts from 1 again
          msgID: `${group} ${stream} ${message.seq} ${timestampNanos}`,
          headers: headersOf(message, letter),
        }),
      isRefusal,
    }
  }

  /** Asks for a message only when it can be handled at once, so that none waits here while its time runs. */
  async function work(): Promise<void> {
    for (let failures = 0; !at.stopping.aborted; ) {
      try {
        const message = await consumer.next({ expires: ASK_MS })
        failures = 0
        refuseCircle(message?.subject === deadLetters, 'subject')
        if (message) await at.consume(deliveryOf(message))
      } catch (error) {
        if (isClosed(error) || isIdempotencyError(error, 'IDEMPOTENCY_INVALID_OPTION')) throw error
        at.failed(error)
        failures++
        const gone = await goneError()
        if (gone !== undefined) throw gone
        await sleep(growingDelay(PAUSES, failures), at.stopping)
      }
    }
  }

  /** Asks for the consumer: after it was deleted, a question for the next message fails in many ways, or is left open. */
  async function goneError(): Promise<unknown> {
    try {
      await consumer.info()
      return undefined
    } catch (error) {
      return ['ConsumerNotFoundError', 'StreamNotFoundError'].includes(Object(error).name) ? error : undefined
    }
  }

  const closed = Promise.all(Array.from({ length: at.concurrency }, work)).then(() => undefined)
  return { closed, drain: (options) => at.drain(options, closed) }
}

function headersOf(message: NatsMessage, { headers: own, withHeaders }: LetterParts): ReturnType<typeof newHeaders> {
  const headers = newHeaders()
  for (const key of withHeaders ? (message.headers?.keys() ?? []) : []) {
    // they act on the server
    if (/^nats-/i.test(key)) continue
    for (const value of message.headers?.values(key) ?? []) headers.append(key, value)
  }
  for (const [key, value] of Object.entries(own)) headers.set(key, value)
  return headers
}

const MESSAGE_TOO_LARGE = 10054

function isRefusal(error: unknown): boolean {
  const { name, code } = Object(error) as { name?: unknown; code?: unknown }
  return name === 'InvalidArgumentError' || name === 'RangeError' || code === MESSAGE_TOO_LARGE
}

/** Recognizes a client that was closed. One that is cut off reconnects by itself. */
function isClosed(error: unknown): boolean {
  const { name, code } = Object(error) as { name?: unknown; code?: unknown }
  return name === 'ClosedConnectionError' || code === 'CONNECTION_CLOSED'
}
