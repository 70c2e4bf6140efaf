/** BullMQ: a processor for a worker. Jobs that have to come back are delayed, and do not fail. */
import { type Idempotency, IdempotencyInvalidOptionError } from '@retryproof/core'
import { type Consumer, createConsumer } from './consumer/consumer.ts'
import type { ConsumerOptions, MessageHandler } from './consumer/consumer-options.ts'
import type { Delivery } from './consumer/delivery.ts'
import { ID_HEADER, REASON_HEADER } from './consumer/letter-headers.ts'
import { refuseCircle } from './consumer/refuse-circle.ts'
import { requireOptions } from './consumer/require-options.ts'

/** A job, as a worker of BullMQ gives it. */
export interface BullJob {
  readonly id?: string | undefined
  readonly name: string
  readonly data: unknown
  readonly queueName: string
  /** The time when it was added, in milliseconds. */
  readonly timestamp: number
  readonly attemptsStarted?: number
  moveToDelayed(timestamp: number, token?: string): Promise<unknown>
}

/** The work of a worker on a job. */
export type BullProcessor = (job: BullJob, token?: string) => Promise<void>

export interface BullOptions<Body, InTransaction extends boolean>
  extends Omit<ConsumerOptions<BullJob, Body, InTransaction>, 'concurrency'> {
  /** The queue of the dead letters, another one than the worker's. Their data give the reason, and hold the data of the job. */
  readonly deadLetters: { readonly name?: string; add(name: string, data: DeadLetterData): Promise<unknown> }
  /** Names the consumer group. @default the queue's name */
  readonly operation?: string
}

/** The data of a dead letter: our headers, and the job's data. Added to the queue again as it is, it is read as that job. */
export interface DeadLetterData {
  readonly [REASON_HEADER]: string
  readonly [ID_HEADER]: string
  readonly data: unknown
}

const text = new TextEncoder()

/**
 * Makes a processor that handles each job of a queue once. Its id is the queue, the job's id and its timestamp, since the
 * ids of a queue start again when it is emptied; `id` may say otherwise. Jobs that come back are delayed: `attempts` and
 * `backoff` of a job are not used, but those of the options. Give the worker a `maxStalledCount` of at least `maxAttempts`:
 * BullMQ fails a job whose workers crashed more often.
 *
 * @example
 * import { createIdempotency, unscoped } from '@retryproof/core'
 * import { memoryStore } from '@retryproof/memory'
 * import { idempotent } from '@retryproof/messaging/bullmq'
 * import { Queue, Worker } from 'bullmq'
 *
 * const idempotency = createIdempotency({ store: memoryStore(), namespace: 'shop' })
 * const connection = { url: 'redis://localhost:6379', maxRetriesPerRequest: null }
 * const ship = idempotent(
 *   idempotency,
 *   { deadLetters: new Queue('orders-dead', { connection }), scope: unscoped },
 *   async (order) => {
 *     console.log('ship', order)
 *   },
 * )
 * const worker = new Worker('orders', ship, { connection, maxStalledCount: 5 })
 * process.once('SIGTERM', () => worker.close())
 *
 * @throws {@link IdempotencyInvalidOptionError} when an option cannot be used
 */
export function idempotent<Tx, Body = unknown, InTransaction extends boolean = false>(
  idempotency: Idempotency<Tx>,
  options: BullOptions<Body, InTransaction>,
  handler: MessageHandler<BullJob, Body, Tx, InTransaction>,
): BullProcessor {
  requireOptions(idempotency, options, { deadLetters: { what: 'a queue of BullMQ', method: 'add' } }, ['operation'])
  const { deadLetters, operation, ...shared } = options
  const create = (group: string) => createConsumer(idempotency, group, shared, handler)
  // refuses a wrong option now, and not at the first job
  create(operation ?? 'jobs')
  const consumers = new Map<string, Consumer<BullJob>>()

  /** Makes the consumer of a queue when its first job comes. */
  function consumerOf(job: BullJob): Consumer<BullJob> {
    const { queueName } = job
    refuseCircle(deadLetters.name === queueName, 'queue')
    const known = consumers.get(queueName)
    if (known) return known
    const made = create(operation ?? queueName)
    consumers.set(queueName, made)
    const { maxStalledCount } = workerOptionsOf(job)
    if (maxStalledCount !== undefined && maxStalledCount < made.read.maxAttempts) {
      const crashes = `fails a job whose workers crashed ${maxStalledCount + 1} times`
      made.failed(
        new IdempotencyInvalidOptionError(
          'maxStalledCount',
          `of the worker of '${queueName}' ${crashes}, and \`maxAttempts\` is ${made.read.maxAttempts}: raise it, or lower \`maxAttempts\``,
        ),
      )
    }
    return made
  }

  function deliveryOf(job: BullJob, token: string): Delivery<BullJob> {
    const letter = deadLetterIn(job.data)
    const data = letter ? letter.data : job.data
    const id = `${job.queueName}:${job.id}:${job.timestamp}`
    const limit = workerOptionsOf(job).maxStartedAttempts ?? Number.POSITIVE_INFINITY
    return {
      message: job,
      body: () => text.encode(JSON.stringify(data) ?? ''),
      messageId: id,
      deliveries: job.attemptsStarted,
      isLastDelivery: (job.attemptsStarted ?? 0) >= limit,
      header(name) {
        const value =
          letter && Object.hasOwn(letter, name) ? (letter as object as Record<string, unknown>)[name] : undefined
        return typeof value === 'string' ? value : undefined
      },
      // the worker completes the job after this
      ack: () => undefined,
      redeliver: (delayMs) => job.moveToDelayed(Date.now() + delayMs, token),
      origin: { 'retryproof-job': id },
      // without an id of its own: a queue takes no id twice, even when the first dead letter was dealt with
      publish: ({ headers, withHeaders, withBody }) =>
        deadLetters.add(withHeaders ? job.name : 'dead-letter', {
          [REASON_HEADER]: '',
          [ID_HEADER]: id,
          ...headers,
          data: withBody ? data : null,
        }),
      isRefusal: (error) => /RangeError|TypeError|exceeds the limit/.test(String(error)),
    }
  }

  return async (job, token = '') => {
    const delayMs = await consumerOf(job).consume(deliveryOf(job, token))
    // also where it could not be delayed: its lock then expires, and it comes back
    if (delayMs !== undefined) throw delayed()
  }
}

/** Reads the options of the job's worker, where this version of BullMQ shows them. */
function workerOptionsOf(job: BullJob): { readonly maxStalledCount?: number; readonly maxStartedAttempts?: number } {
  const worker = Object(Reflect.get(job, 'queue')) as { readonly opts?: object }
  return Object(worker.opts)
}

function deadLetterIn(data: unknown): DeadLetterData | undefined {
  const isText = (name: string) => Object.hasOwn(Object(data), name) && typeof Object(data)[name] === 'string'
  return isText(REASON_HEADER) && isText(ID_HEADER) ? (data as DeadLetterData) : undefined
}

/** Makes the worker leave the job where it is. A worker knows such an error by its name. */
function delayed(): Error {
  return Object.assign(new Error('It comes back.'), { name: 'DelayedError' })
}
