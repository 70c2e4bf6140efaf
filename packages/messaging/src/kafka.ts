/** Kafka: the order of a partition is kept, and its offset committed after its messages are settled. */
import type { Idempotency } from '@retryproof/core'
import type {
  HandleKafka,
  KafkaJsConsumer,
  KafkaJsProducer,
  KafkaLetter,
  KafkaMessage,
  KafkaRun,
  KafkaStream,
  KafkaStreamProducer,
} from './brokers/kafka/client.ts'
import { headerIn } from './brokers/kafka/headers.ts'
import { runKafkaJs, sendWithKafkaJs } from './brokers/kafka/kafkajs.ts'
import { isRefusal, letterOf } from './brokers/kafka/letters.ts'
import { runStream, sendWithStream } from './brokers/kafka/platformatic.ts'
import { type Consumer, createConsumer } from './consumer/consumer.ts'
import type { ConsumerHandle, ConsumerOptions, MessageHandler } from './consumer/consumer-options.ts'
import type { Delivery } from './consumer/delivery.ts'
import { refuseCircle } from './consumer/refuse-circle.ts'
import { requireOptions } from './consumer/require-options.ts'

export type {
  KafkaJsConsumer,
  KafkaJsProducer,
  KafkaMessage,
  KafkaStream,
  KafkaStreamProducer,
} from './brokers/kafka/client.ts'

/** The options that both clients share. */
export interface KafkaCommonOptions<Body, InTransaction extends boolean>
  extends ConsumerOptions<KafkaMessage, Body, InTransaction> {
  /** Reads the publisher's name for the message. Required: an offset is another for each copy. */
  readonly id: NonNullable<ConsumerOptions<KafkaMessage, Body, InTransaction>['id']>
  /** The topic of the dead letters. The consumer must not read it. */
  readonly deadLetters: string
  /** Names the consumer group of the records. @default the group of the consumer */
  readonly operation?: string
}

/** Takes kafkajs: a consumer that is connected and subscribed and does not run yet, and a producer that is connected. */
export interface KafkaJsOptions<Body, InTransaction extends boolean> extends KafkaCommonOptions<Body, InTransaction> {
  /** A consumer of kafkajs, connected and subscribed. */
  readonly consumer: KafkaJsConsumer
  /** A producer of kafkajs, connected: it sends dead letters. */
  readonly producer: KafkaJsProducer
}

/**
 * Takes `@platformatic/kafka`: the stream of `consumer.consume({ topics, autocommit: false, … })`, of bytes, and a producer
 * of bytes. `autocommit` would lose messages. All partitions come out of one stream: when `concurrency` messages have been
 * read of a partition that is held up, the others wait too.
 */
export interface KafkaStreamOptions<Body, InTransaction extends boolean>
  extends KafkaCommonOptions<Body, InTransaction> {
  /** A stream of `@platformatic/kafka`, which commits nothing by itself. */
  readonly stream: KafkaStream
  /** A producer of `@platformatic/kafka`: it sends dead letters. */
  readonly producer: KafkaStreamProducer
}

export type KafkaOptions<Body, InTransaction extends boolean> =
  | KafkaJsOptions<Body, InTransaction>
  | KafkaStreamOptions<Body, InTransaction>

/** The time between two questions to the client whether a heartbeat is due. */
const HEARTBEAT_MS = 200

/**
 * Handles each message once. A message that has to come back holds its partition up, so that order is kept, until it is
 * done or a dead letter; other partitions go on. `concurrency` limits the partitions that are worked on at once.
 *
 * @example
 * import { createIdempotency, unscoped } from '@retryproof/core'
 * import { memoryStore } from '@retryproof/memory'
 * import { consume } from '@retryproof/messaging/kafka'
 * import { Kafka } from 'kafkajs'
 *
 * const idempotency = createIdempotency({ store: memoryStore(), namespace: 'shop' })
 * const kafka = new Kafka({ brokers: ['localhost:9092'] })
 * const [consumer, producer] = [kafka.consumer({ groupId: 'shipping' }), kafka.producer()]
 * await Promise.all([consumer.connect(), producer.connect()])
 * await consumer.subscribe({ topics: ['orders'] })
 * const id = (order: { id: string }) => order.id
 * const { closed } = await consume(
 *   idempotency,
 *   { consumer, producer, deadLetters: 'orders-dead', scope: unscoped, id },
 *   async (order) => {
 *     console.log('ship', order.id)
 *   },
 * )
 * await closed
 *
 * @throws {@link IdempotencyInvalidOptionError} when an option cannot be used
 */
export async function consume<Tx, Body = unknown, InTransaction extends boolean = false>(
  idempotency: Idempotency<Tx>,
  options: KafkaOptions<Body, InTransaction>,
  handler: MessageHandler<KafkaMessage, Body, Tx, InTransaction>,
): Promise<ConsumerHandle> {
  const client =
    typeof options === 'object' && 'stream' in options
      ? { stream: { what: 'a stream of @platformatic/kafka', method: 'on' } }
      : { consumer: { what: 'a consumer of kafkajs', method: 'run' } }
  const required = {
    ...client,
    producer: { what: 'a producer of the same client', method: 'send' },
    deadLetters: { what: 'the name of a topic' },
    id: { what: 'a function, since an offset is another for each copy', method: 'call' },
  }
  requireOptions(idempotency, options, required, ['operation'])
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
  const handle = handlerOf(at, deadLetters, (letter) => sendWithKafkaJs(producer, letter))
  return consuming(at, await runKafkaJs(consumer, at, handle))
}

async function consumeStream<Tx, Body, InTransaction extends boolean>(
  idempotency: Idempotency<Tx>,
  { stream, producer, deadLetters, operation, ...options }: KafkaStreamOptions<Body, InTransaction>,
  handler: MessageHandler<KafkaMessage, Body, Tx, InTransaction>,
): Promise<ConsumerHandle> {
  const group = operation ?? stream.consumer.groupId
  const at = createConsumer(idempotency, group, options, handler)
  const handle = handlerOf(at, deadLetters, (letter) => sendWithStream(producer, letter))
  return consuming(at, runStream(stream, at, handle))
}

function consuming(at: Consumer<KafkaMessage>, { closed, stop }: KafkaRun): ConsumerHandle {
  return { closed, drain: (options) => at.drain(options, stop()) }
}

function handlerOf(
  at: Consumer<KafkaMessage>,
  deadLetters: string,
  send: (letter: KafkaLetter) => Promise<unknown>,
): HandleKafka {
  // the message of each partition that was delivered last, and how often
  const last = new Map<string, { readonly offset: string; readonly deliveries: number }>()

  function deliveriesOf({ topic, partition, offset }: KafkaMessage): number {
    const before = last.get(`${topic} ${partition}`)
    const deliveries = before?.offset === String(offset) ? before.deliveries + 1 : 1
    last.set(`${topic} ${partition}`, { offset: String(offset), deliveries })
    return deliveries
  }

  return async (message, heartbeat) => {
    const { topic, partition, offset } = message
    refuseCircle(topic === deadLetters, 'topic')
    const delivery: Delivery<KafkaMessage> = {
      message,
      body: () => message.value ?? new Uint8Array(),
      messageId: undefined,
      deliveries: deliveriesOf(message),
      header: (name) => headerIn(message, name),
      ...(heartbeat && { extend: { everyMs: HEARTBEAT_MS, act: heartbeat } }),
      // the offset is committed after this
      ack: () => undefined,
      origin: {
        'retryproof-topic': topic,
        'retryproof-partition': String(partition),
        'retryproof-offset': String(offset),
      },
      publish: (letter) => send(letterOf(deadLetters, message, letter)),
      isRefusal,
    }
    return at.consume(delivery)
  }
}
