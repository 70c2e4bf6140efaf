/** SQS: long polling, each message of a batch settled on its own, the groups of a FIFO queue in order. */
import { type Idempotency, IdempotencyInvalidOptionError } from '@retryproof/core'
import { sleep, toMs } from '@retryproof/core/internal'
import { createConsumer } from './consumer/consumer.ts'
import type { ConsumerHandle, ConsumerOptions, MessageHandler } from './consumer/consumer-options.ts'
import { ID_HEADER, REASON_HEADER } from './consumer/dead-letter-headers.ts'
import type { Delivery } from './consumer/delivery.ts'
import type { SqsClient, SqsMessage } from './consumer/sqs/client.ts'
import { deadLetterAttributes } from './consumer/sqs/dead-letter.ts'
import { deliveriesNeeded, growingDelay, requireDeliveries } from './once/redelivery-delay.ts'

export type { SqsClient, SqsMessage } from './consumer/sqs/client.ts'

export interface SqsOptions<Body, InTransaction extends boolean>
  extends ConsumerOptions<SqsMessage, Body, InTransaction> {
  /** `new SQS(…)` of `@aws-sdk/client-sqs`. */
  readonly client: SqsClient
  readonly queueUrl: string
  /** The URL of the queue of the dead letters. */
  readonly deadLetters: string
  /** The consumer group. @default the queue's name */
  readonly operation?: string
  /**
   * How many messages a request brings, at most 10. In a FIFO queue, those behind one that failed are delivered once more
   * for each time that it fails, so that its `maxReceiveCount` has to be that many times as high. @default 10; FIFO: 1
   */
  readonly batchSize?: number
}

const MAX_BATCH = 10
const LONG_POLL_S = 20
/** SQS keeps a message invisible for twelve hours in all, from when it was received. */
const MAX_VISIBILITY_S = 11 * 3600
const PAUSES = { firstMs: 100, maxMs: 5000 }
const text = new TextEncoder()

/**
 * Handles each message of a queue once. Its id is its MessageId, unless `id` says otherwise: a publisher that sends
 * a message again gives it another.
 *
 * @throws IdempotencyInvalidOptionError: also where the queue gives messages up too early, or keeps them longer than their records
 */
export async function consume<Tx, Body = unknown, InTransaction extends boolean = false>(
  idempotency: Idempotency<Tx>,
  { client, queueUrl, deadLetters, operation, batchSize, ...options }: SqsOptions<Body, InTransaction>,
  handler: MessageHandler<SqsMessage, Body, Tx, InTransaction>,
): Promise<ConsumerHandle> {
  const group = operation ?? nameIn(queueUrl)
  const at = createConsumer(idempotency, group, options, handler)
  if (typeof deadLetters !== 'string' || deadLetters === '') {
    throw new IdempotencyInvalidOptionError('deadLetters', 'must be the URL of a queue')
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

  function deliveryOf(message: SqsMessage, told: Told): Delivery<SqsMessage> {
    const deliveries = Number(message.Attributes?.ApproximateReceiveCount ?? 1)
    return {
      message,
      body: text.encode(message.Body ?? ''),
      messageId: message.MessageAttributes?.[ID_HEADER]?.StringValue ?? message.MessageId,
      deliveries,
      isLastDelivery: deliveries >= limit,
      isRedriven: message.MessageAttributes?.[REASON_HEADER] !== undefined,
      extend: { everyMs: (visibilityS * 1000) / 3, act: () => setVisibility(message, visibilityS) },
      ack() {
        told.isDone = true
        return client.deleteMessage({ QueueUrl: queueUrl, ReceiptHandle: message.ReceiptHandle ?? '' })
      },
      redeliver(delayMs) {
        told.delayS = Math.min(MAX_VISIBILITY_S, Math.ceil(delayMs / 1000))
        return setVisibility(message, told.delayS)
      },
      deadLetter: (letter) =>
        client.sendMessage({
          QueueUrl: deadLetters,
          MessageBody: message.Body ?? '',
          MessageAttributes: deadLetterAttributes(group, message, letter),
          ...(deadLetters.endsWith('.fifo') && {
            MessageGroupId: message.Attributes?.MessageGroupId ?? group,
            MessageDeduplicationId: message.MessageId ?? '',
          }),
        }),
    }
  }

  /** Messages that must be handled one after the other; those behind the first that has to come back do so after it. */
  async function handleInOrder(line: readonly SqsMessage[]): Promise<void> {
    for (const [position, message] of line.entries()) {
      const told: Told = { isDone: false, delayS: 0 }
      await at.consume(deliveryOf(message, told))
      if (told.isDone) continue
      const behind = line.slice(position + 1)
      // what cannot be given back now comes back when its visibility ends
      await Promise.all(behind.map((later) => setVisibility(later, told.delayS).catch(at.failed)))
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

/** What the broker was told of a delivery. */
interface Told {
  isDone: boolean
  delayS: number
}

/** One line for each group of a FIFO queue, and for each message of another. */
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
