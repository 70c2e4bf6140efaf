/** Kafka: the order of a partition is kept, and its offset committed after its messages are settled. */
import { type Idempotency, IdempotencyInvalidOptionError } from '@retryproof/core'
import { type Consumer, createConsumer } from './consumer/consumer.ts'
import type { ConsumerHandle, ConsumerOptions, MessageHandler } from './consumer/consumer-options.ts'
import { REASON_HEADER } from './consumer/dead-letter-headers.ts'
import type { Delivery } from './consumer/delivery.ts'
import type {
  HandleKafka,
  KafkaJsConsumer,
  KafkaJsProducer,
  KafkaMessage,
  KafkaRun,
  KafkaStream,
  KafkaStreamProducer,
} from './consumer/kafka/client.ts'
import { deadLetterHeadersOf, type HeaderList, headersOf } from './consumer/kafka/dead-letter.ts'
import { runKafkaJs, sendWithKafkaJs } from './consumer/kafka/kafkajs.ts'
import { runStream, sendWithStream } from './consumer/kafka/platformatic.ts'

export type { KafkaMessage } from './consumer/kafka/client.ts'

/** The same options for both clients. */
export interface KafkaCommonOptions<Body, InTransaction extends boolean>
  extends ConsumerOptions<KafkaMessage, Body, InTransaction> {
  /** What its publisher calls the message. Required: an offset is another for each copy. */
  readonly id: (body: Body, message: KafkaMessage) => string | undefined
  /** The topic of the dead letters. */
  readonly deadLetters: string
  /** The consumer group of the records. @default the group of the consumer */
  readonly operation?: string
}

/** With kafkajs: a consumer that is connected and subscribed and does not run yet, and a producer that is connected. */
export interface KafkaJsOptions<Body, InTransaction extends boolean> extends KafkaCommonOptions<Body, InTransaction> {
  readonly consumer: KafkaJsConsumer
  readonly producer: KafkaJsProducer
}

/**
 * With `@platformatic/kafka`: the stream of `consumer.consume({ topics, autocommit: false, … })`, of bytes, and a producer
 * of bytes. With `autocommit`, messages would be lost. All partitions come out of one stream: when `concurrency` messages
 * have been read of one that is held up, the others wait as well.
 */
export interface KafkaStreamOptions<Body, InTransaction extends boolean>
  extends KafkaCommonOptions<Body, InTransaction> {
  readonly stream: KafkaStream
  readonly producer: KafkaStreamProducer
}

export type KafkaOptions<Body, InTransaction extends boolean> =
  | KafkaJsOptions<Body, InTransaction>
  | KafkaStreamOptions<Body, InTransaction>

/** How often the client is asked whether a heartbeat is due. */
const HEARTBEAT_MS = 200

/**
 * Handles each message once. One that has to come back holds its partition up, so that order is kept, until it is done or
 * a dead letter; other partitions go on. `concurrency` is how many partitions are worked on at once.
 *
 * @throws IdempotencyInvalidOptionError
 */
export async function consume<Tx, Body = unknown, InTransaction extends boolean = false>(
  idempotency: Idempotency<Tx>,
  options: KafkaOptions<Body, InTransaction>,
  handler: MessageHandler<KafkaMessage, Body, Tx, InTransaction>,
): Promise<ConsumerHandle> {
  const { deadLetters, id } = options
  if (typeof id !== 'function')
    throw new IdempotencyInvalidOptionError('id', 'is needed: an offset is another for each copy')
  if (typeof deadLetters !== 'string' || deadLetters === '') {
    throw new IdempotencyInvalidOptionError('deadLetters', 'must be a topic')
  }
  return 'stream' in options
    ? consumeStream(idempotency, options, handler)
    : consumeKafkaJs(idempotency, options, handler)
}

async function consumeKafkaJs<Tx, Body, InTransaction extends boolean>(
  idempotency: Idempotency<Tx>,
  { consumer, producer, deadLetters, operation, ...options }: KafkaJsOptions<Body, InTransaction>,
  handler: MessageHandler<KafkaMessage, Body, Tx, InTransaction>,
): Promise<ConsumerHandle> {
  const group = operation ?? (await consumer.describeGroup()).groupId
  const at = createConsumer(idempotency, group, options, handler)
  const handle = handlerOf(at, group, (message, headers) => sendWithKafkaJs(producer, deadLetters, message, headers))
  return consuming(at, await runKafkaJs(consumer, at, handle))
}

async function consumeStream<Tx, Body, InTransaction extends boolean>(
  idempotency: Idempotency<Tx>,
  { stream, producer, deadLetters, operation, ...options }: KafkaStreamOptions<Body, InTransaction>,
  handler: MessageHandler<KafkaMessage, Body, Tx, InTransaction>,
): Promise<ConsumerHandle> {
  const group = operation ?? stream.consumer.groupId
  const at = createConsumer(idempotency, group, options, handler)
  const handle = handlerOf(at, group, (message, headers) => sendWithStream(producer, deadLetters, message, headers))
  return consuming(at, runStream(stream, at, handle))
}

function consuming(at: Consumer<KafkaMessage>, { closed, stop }: KafkaRun): ConsumerHandle {
  return { closed, drain: (options) => at.drain(options, stop()) }
}

function handlerOf(
  at: Consumer<KafkaMessage>,
  group: string,
  send: (message: KafkaMessage, headers: HeaderList) => Promise<unknown>,
): HandleKafka {
  // of each partition, the message that was delivered last, and how often
  const last = new Map<string, { readonly offset: string; readonly deliveries: number }>()

  function deliveriesOf({ topic, partition, offset }: KafkaMessage): number {
    const before = last.get(`${topic} ${partition}`)
    const deliveries = before?.offset === String(offset) ? before.deliveries + 1 : 1
    last.set(`${topic} ${partition}`, { offset: String(offset), deliveries })
    return deliveries
  }

  return async (message, heartbeat) => {
    let comesBackMs: number | undefined = 0
    const delivery: Delivery<KafkaMessage> = {
      message,
      body: message.value ?? new Uint8Array(),
      messageId: undefined,
      deliveries: deliveriesOf(message),
      isRedriven: headersOf(message).some(([name]) => name === REASON_HEADER),
      ...(heartbeat && { extend: { everyMs: HEARTBEAT_MS, act: heartbeat } }),
      async ack() {
        comesBackMs = undefined
      },
      async redeliver(delayMs) {
        comesBackMs = delayMs
      },
      deadLetter: (letter) => send(message, deadLetterHeadersOf(group, message, letter)),
    }
    await at.consume(delivery)
    return comesBackMs
  }
}
