/** SQS: long polling, each message of a batch settled on its own, the groups of a FIFO queue in order. */
import { type Idempotency, IdempotencyInvalidOptionError } from '@retryproof/core'
import { sleep, toMs } from '@retryproof/core/internal'
import { attributeIn, attributesOf } from './brokers/sqs/attributes.ts'
import type { SqsClient, SqsMessage } from './brokers/sqs/client.ts'
import { hiddenS, MAX_HIDDEN_MS } from './brokers/sqs/hidden.ts'
import { createConsumer } from './consumer/consumer.ts'
import type { ConsumerHandle, ConsumerOptions, MessageHandler } from './consumer/consumer-options.ts'
import type { Delivery } from './consumer/delivery.ts'
import { refuseCircle } from './consumer/refuse-circle.ts'
import { requireOptions } from './consumer/require-options.ts'
import { deliveriesNeeded, growingDelay, requireDeliveries } from './once/redelivery-delay.ts'

export type { SqsClient, SqsMessage } from './brokers/sqs/client.ts'

export interface SqsOptions<Body, InTransaction extends boolean>
  extends ConsumerOptions<SqsMessage, Body, InTransaction> {
  /** The client: `new SQS(…)` of `@aws-sdk/client-sqs`. */
  readonly client: SqsClient
  /** The address of the queue that is consumed. */
  readonly queueUrl: string
  /** The URL of the queue of the dead letters. */
  readonly deadLetters: string
  /** Names the consumer group. @default the queue's name */
  readonly operation?: string
  /**
   * Limits the messages that a request brings, at most 10. In a FIFO queue, those behind one that failed are delivered once
   * more for each time that it fails, so that its `maxReceiveCount` has to be that many times as high. @default 10; FIFO: 1
   */
  readonly batchSize?: number
}

const MAX_BATCH = 10
const LONG_POLL_S = 20
const PAUSES = { firstMs: 100, maxMs: 5000 }
const text = new TextEncoder()

/**
 * Handles each message of a queue once. Its id is its MessageId, unless `id` says otherwise: a publisher that sends
 * a message again gives it another.
 *
 * @example
 * import { SQS } from '@aws-sdk/client-sqs'
 * import { createIdempotency, unscoped } from '@retryproof/core'
 * import { memoryStore } from '@retryproof/memory'
 * import { consume } from '@retryproof/messaging/sqs'
 *
 * const idempotency = createIdempotency({ store: memoryStore(), namespace: 'shop' })
 * const queueUrl = 'https://sqs.eu-central-1.amazonaws.com/123456789012/orders'
 * const { closed } = await consume(
 *   idempotency,
 *   { client: new SQS(), queueUrl, deadLetters: `${queueUrl}-dead`, scope: unscoped },
 *   async (order) => {
 *     console.log('ship', order)
 *   },
 * )
 * await closed
 *
 * @throws {@link IdempotencyInvalidOptionError} when an option cannot be used
 * @throws {@link IdempotencyInvalidOptionError} when the queue gives messages up too early, or keeps them longer than their records
 */
export async function consume<Tx, Body = unknown, InTransaction extends boolean = false>(
  idempotency: Idempotency<Tx>,
  options: SqsOptions<Body, InTransaction>,
  handler: MessageHandler<SqsMessage, Body, Tx, InTransaction>,
): Promise<ConsumerHandle> {
  const required = {
    client: { what: 'new SQS(…) of @aws-sdk/client-sqs', method: 'receiveMessage' },
    queueUrl: { what: 'the URL of a queue' },
    deadLetters: { what: 'the URL of a queue' },
  }
  requireOptions(idempotency, options, required, ['operation', 'batchSize'])
  const { client, queueUrl, deadLetters, operation, batchSize, ...shared } = options
  const group = operation ?? nameIn(queueUrl)
  const at = createConsumer(idempotency, group, shared, handler)
  refuseCircle(deadLetters === queueUrl, 'queue')
  if (at.read.maxRunMs > MAX_HIDDEN_MS) {
    throw new IdempotencyInvalidOptionError('maxRun', 'must be shorter than 11 h 55 min: SQS delivers again after 12 h')
  }
  const isFifo = queueUrl.endsWith('.fifo')
  const most = batchSize ?? (isFifo ? 1 : MAX_BATCH)
  if (!Number.isInteger(most) || most < 1 || most > MAX_BATCH) {
    throw new IdempotencyInvalidOptionError('batchSize', `must be a whole number from 1 to ${MAX_BATCH}, got ${most}`)
  }
  const { limit, visibilityS, keptMs } = await readQueue(client, queueUrl)
  const needed = deliveriesNeeded(at.read.delays, at.read.maxAttempts, at.read.leaseMs)
  requireDeliveries('queueUrl', limit, isFifo ? needed * most : needed)
  const retentionMs = toMs('retention', at.read.policies.retention ?? 0)
  if (retentionMs < keptMs) {
    throw new IdempotencyInvalidOptionError(
      'retention',
      `is ${retentionMs} ms, and the queue keeps messages for ${keptMs} ms (its MessageRetentionPeriod): a duplicate would be handled as if it were new`,
    )
  }

  const setVisibility = (message: SqsMessage, seconds: number) =>
    client.changeMessageVisibility({
      QueueUrl: queueUrl,
      ReceiptHandle: message.ReceiptHandle ?? '',
      VisibilityTimeout: seconds,
    })

  function deliveryOf(message: SqsMessage, receivedAt: number): Delivery<SqsMessage> {
    const deliveries = Number(message.Attributes?.ApproximateReceiveCount ?? 1)
    return {
      message,
      body: () => text.encode(message.Body ?? ''),
      messageId: message.MessageId,
      deliveries,
      isLastDelivery: deliveries >= limit,
      header: (name) => attributeIn(message, name),
      extend: { everyMs: (visibilityS * 1000) / 3, act: () => setVisibility(message, visibilityS) },
      ack: () => client.deleteMessage({ QueueUrl: queueUrl, ReceiptHandle: message.ReceiptHandle ?? '' }),
      redeliver: (delayMs) => setVisibility(message, hiddenS(delayMs, receivedAt)),
      origin: { 'retryproof-message-id': message.MessageId ?? '' },
      publish: (letter) =>
        client.sendMessage({
          QueueUrl: deadLetters,
          MessageBody: letter.withBody ? (message.Body ?? LEFT_OUT) : LEFT_OUT,
          MessageAttributes: attributesOf(message, letter),
          ...(deadLetters.endsWith('.fifo') && {
            MessageGroupId: message.Attributes?.MessageGroupId ?? group,
            MessageDeduplicationId: message.MessageId ?? '',
          }),
        }),
      isRefusal,
    }
  }

  /** Handles messages one after the other. Those behind the first that has to come back do so after it. */
  async function handleInOrder(line: readonly SqsMessage[]): Promise<void> {
    const receivedAt = performance.now()
    for (const [position, message] of line.entries()) {
      const delayMs = await at.consume(deliveryOf(message, receivedAt))
      if (delayMs === undefined) continue
      const behind = line.slice(position + 1)
      const delayS = hiddenS(delayMs, receivedAt)
      // a message that cannot be given back now comes back when its visibility ends
      await Promise.all(behind.map((later) => setVisibility(later, delayS).catch(at.failed)))
      return
    }
  }

  /** Asks for no more than can be handled at once, so that none waits here while its time runs. */
  async function poll(): Promise<void> {
    const lines = new Set<Promise<void>>()
    let free = at.concurrency
    const start = (line: readonly SqsMessage[]) => {
      free -= line.length
      const handled = handleInOrder(line).finally(() => {
        free += line.length
        lines.delete(handled)
      })
      lines.add(handled)
    }
    for (let failures = 0; !at.stopping.aborted; ) {
      if (free === 0) {
        await Promise.race(lines)
        continue
      }
      try {
        for (const line of linesOf(await receive(Math.min(most, free)))) start(line)
        failures = 0
      } catch (error) {
        if (at.stopping.aborted) break
        at.failed(error)
        failures++
        await sleep(growingDelay(PAUSES, failures), at.stopping)
      }
    }
    await Promise.all(lines)
  }

  async function receive(count: number): Promise<readonly SqsMessage[]> {
    const { Messages = [] } = await client.receiveMessage(
      {
        QueueUrl: queueUrl,
        MaxNumberOfMessages: count,
        WaitTimeSeconds: LONG_POLL_S,
        MessageAttributeNames: ['All'],
        MessageSystemAttributeNames: ['ApproximateReceiveCount', 'MessageGroupId'],
      },
      // a signal of its own for each request: some clients never let go of the one that they were given
      { abortSignal: AbortSignal.any([at.stopping]) },
    )
    return Messages
  }

  const closed = poll()
  return { closed, drain: (options) => at.drain(options, closed) }
}

/** Stands for a body that was left out: SQS takes no empty one. */
const LEFT_OUT = '(left out)'

const REFUSALS = /InvalidParameterValue|InvalidMessageContents|InvalidAttributeValue|MessageTooLong|RequestTooLong/

function isRefusal(error: unknown): boolean {
  const { name, Code, message } = Object(error) as Record<string, unknown>
  return [name, Code, message].some((each) => REFUSALS.test(String(each)))
}

/** Makes one line of each group of a FIFO queue, and of each message of another queue. */
function linesOf(messages: readonly SqsMessage[]): readonly (readonly SqsMessage[])[] {
  const groups = new Map<unknown, SqsMessage[]>()
  for (const message of messages) {
    const name = message.Attributes?.MessageGroupId ?? message
    const line = groups.get(name)
    if (line) line.push(message)
    else groups.set(name, [message])
  }
  return [...groups.values()]
}

async function readQueue(
  client: SqsClient,
  queueUrl: string,
): Promise<{ readonly limit: number; readonly visibilityS: number; readonly keptMs: number }> {
  const { Attributes: found = {} } = await client.getQueueAttributes({
    QueueUrl: queueUrl,
    AttributeNames: ['RedrivePolicy', 'VisibilityTimeout', 'MessageRetentionPeriod'],
  })
  const visibilityS = Number(found.VisibilityTimeout ?? 30)
  if (visibilityS < 1)
    throw new IdempotencyInvalidOptionError('queueUrl', 'must have a VisibilityTimeout of at least 1 s')
  const policy = found.RedrivePolicy ? (JSON.parse(found.RedrivePolicy) as { maxReceiveCount?: unknown }) : {}
  return {
    limit: policy.maxReceiveCount === undefined ? Number.POSITIVE_INFINITY : Number(policy.maxReceiveCount),
    visibilityS,
    keptMs: Number(found.MessageRetentionPeriod ?? 0) * 1000,
  }
}

function nameIn(queueUrl: string): string {
  return queueUrl.split('/').at(-1) ?? queueUrl
}
