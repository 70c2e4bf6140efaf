/** BullMQ: a worker whose jobs are delayed, and not failed, when they have to come back. */
import { type Idempotency, IdempotencyInvalidOptionError } from '@retryproof/core'
import { createConsumer } from './consumer/consumer.ts'
import type { ConsumerHandle, ConsumerOptions, MessageHandler } from './consumer/consumer-options.ts'
import { deadLetterHeaders, ID_HEADER, REASON_HEADER } from './consumer/dead-letter-headers.ts'
import type { Delivery } from './consumer/delivery.ts'
import { deliveriesNeeded, requireDeliveries } from './once/redelivery-delay.ts'
import type { DeadLetter } from './once/verdict.ts'

/** A job, as a worker of BullMQ gives it. */
export interface BullJob {
  readonly id?: string | undefined
  readonly name: string
  readonly data: unknown
  readonly queueName: string
  /** When it was added, in milliseconds. */
  readonly timestamp: number
  readonly attemptsStarted?: number
  moveToDelayed(timestamp: number, token?: string): Promise<unknown>
  extendLock(token: string, duration: number): Promise<unknown>
}

/** A worker of BullMQ. */
export interface BullWorker {
  readonly name: string
  readonly opts: BullWorkerOptions
  concurrency: number
  on(event: 'error', listener: (error: Error) => void): unknown
  once(event: 'closed', listener: () => void): unknown
  close(force?: boolean): Promise<unknown>
}

export interface BullWorkerOptions {
  readonly maxStalledCount?: number
  readonly maxStartedAttempts?: number
  readonly lockDuration?: number
  readonly skipLockRenewal?: boolean
}

/** What a worker is to do with a job. */
export type BullProcessor = (job: BullJob, token?: string) => Promise<void>

export interface BullOptions<Body, InTransaction extends boolean>
  extends ConsumerOptions<BullJob, Body, InTransaction> {
  /**
   * Makes the worker: `(processor) => new Worker('orders', processor, { connection, maxStalledCount: 5, skipLockRenewal: true })`.
   * The binding renews the locks of its jobs, and no longer than `maxRun`, so that one that hangs is not held for ever.
   */
  readonly worker: (processor: BullProcessor) => BullWorker
  /** The queue of the dead letters: their data says why, and has the data of the job in it. */
  readonly deadLetters: { add(name: string, data: DeadLetterData): Promise<unknown> }
  /** The consumer group. @default the queue's name */
  readonly operation?: string
}

/** The data of a dead letter: what is said of it, and the job's. Added to the queue again as it is, it is read as that job. */
export interface DeadLetterData {
  readonly [REASON_HEADER]: string
  readonly [ID_HEADER]: string
  readonly data: unknown
}

const DEFAULT_LOCK_MS = 30_000
const text = new TextEncoder()

/**
 * Handles each job of a queue once. Its id is the queue, the job's id and its timestamp, since the ids of a queue start
 * again when it is emptied; `id` may say otherwise. Jobs that come back are delayed: `attempts` and `backoff` of a job
 * are not used, but those of the options.
 *
 * @throws IdempotencyInvalidOptionError: also where the worker gives jobs up too early
 */
export async function consume<Tx, Body = unknown, InTransaction extends boolean = false>(
  idempotency: Idempotency<Tx>,
  { worker: makeWorker, deadLetters, operation, ...options }: BullOptions<Body, InTransaction>,
  handler: MessageHandler<BullJob, Body, Tx, InTransaction>,
): Promise<ConsumerHandle> {
  if (typeof deadLetters?.add !== 'function') throw new IdempotencyInvalidOptionError('deadLetters', 'must be a queue')
  const worker = makeWorker((job, token) => process(job, token))
  const { maxStalledCount = 1, maxStartedAttempts: limit = Number.POSITIVE_INFINITY } = worker.opts
  const { lockDuration = DEFAULT_LOCK_MS, skipLockRenewal = false } = worker.opts
  const group = operation ?? worker.name
  const at = await orClose(worker, () => {
    const at = createConsumer(idempotency, group, options, handler)
    requireDeliveries('worker', limit, deliveriesNeeded(at.read.delays, at.read.maxAttempts, at.read.leaseMs))
    if (!skipLockRenewal) {
      throw new IdempotencyInvalidOptionError(
        'worker',
        'must have skipLockRenewal: true: a job that hangs would be held for ever',
      )
    }
    if (maxStalledCount < at.read.maxAttempts) {
      throw new IdempotencyInvalidOptionError(
        'worker',
        `fails a job whose worker crashed ${maxStalledCount + 1} times, and \`maxAttempts\` is ${at.read.maxAttempts}: raise its maxStalledCount, or lower \`maxAttempts\``,
      )
    }
    return at
  })
  worker.on('error', at.failed)
  worker.concurrency = at.concurrency
  const closed = new Promise<void>((resolve) => worker.once('closed', resolve))

  async function process(job: BullJob, token = ''): Promise<void> {
    let isDone = false
    const delivery = deliveryOf(job, token)
    await at.consume({
      ...delivery,
      async ack() {
        isDone = true
      },
    })
    // also where it could not be delayed: its lock then ends, and it comes back
    if (!isDone) throw delayed()
  }

  function deliveryOf(job: BullJob, token: string): Omit<Delivery<BullJob>, 'ack'> {
    const letter = deadLetterIn(job.data)
    const deliveries = job.attemptsStarted
    const id = letter?.[ID_HEADER] ?? `${job.queueName}:${job.id}:${job.timestamp}`
    const data = letter ? letter.data : job.data
    return {
      message: job,
      body: text.encode(JSON.stringify(data) ?? ''),
      messageId: id,
      deliveries,
      isLastDelivery: deliveries !== undefined && deliveries >= limit,
      isRedriven: letter !== undefined,
      extend: { everyMs: lockDuration / 3, act: () => job.extendLock(token, lockDuration) },
      redeliver: (delayMs) => job.moveToDelayed(Date.now() + delayMs, token),
      deadLetter: (reason) => addDeadLetter(job, { id, data, reason }),
    }
  }

  function addDeadLetter(
    job: BullJob,
    { id, data, reason }: { readonly id: string; readonly data: unknown; readonly reason: DeadLetter },
  ): Promise<unknown> {
    const headers = { [REASON_HEADER]: reason.reason, ...deadLetterHeaders(group, reason), [ID_HEADER]: id }
    // without an id of its own: a queue takes none twice, also not when the first dead letter was dealt with
    return deadLetters.add(job.name, { ...headers, data })
  }

  async function drain(timeout: Parameters<ConsumerHandle['drain']>[0]) {
    return at.drain(timeout, worker.close())
  }

  return { closed, drain }
}

async function orClose<T>(worker: BullWorker, check: () => T): Promise<T> {
  try {
    return check()
  } catch (error) {
    // it has not taken a job yet: it connects first
    await worker.close(true)
    throw error
  }
}

function deadLetterIn(data: unknown): DeadLetterData | undefined {
  const found = Object(data) as Partial<DeadLetterData>
  const isOne = typeof found[REASON_HEADER] === 'string' && typeof found[ID_HEADER] === 'string'
  return isOne ? (found as DeadLetterData) : undefined
}

/** The worker then leaves the job where it is. It knows such an error by its name. */
function delayed(): Error {
  return Object.assign(new Error('It comes back.'), { name: 'DelayedError' })
}
