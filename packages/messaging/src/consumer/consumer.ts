/** The part that all bindings share: it reads a delivery, handles it once, and tells the broker. */
import { setMaxListeners } from 'node:events'
import {
  type Duration,
  type Idempotency,
  IdempotencyInvalidOptionError,
  isIdempotencyError,
  type Reference,
} from '@retryproof/core'
import { describeThrown, toMs, warn } from '@retryproof/core/internal'
import type { MessageWork } from '../once/message.ts'
import { createOnce } from '../once/once.ts'
import { type OnceOptions, type ReadOnce, readOnce } from '../once/once-options.ts'
import { putAway } from '../once/put-away.ts'
import { growingDelay } from '../once/redelivery-delay.ts'
import type { DeadLetter, Verdict } from '../once/verdict.ts'
import type { ConsumerOptions, Drained, MessageHandler } from './consumer-options.ts'
import type { Delivery } from './delivery.ts'
import { type Heartbeat, startHeartbeat } from './heartbeat.ts'
import { IN_TIME_MS, inTime, isTimeout } from './in-time.ts'
import { ID_HEADER, roundOf } from './letter-headers.ts'
import { readDelivery } from './read-delivery.ts'
import { requireOptions } from './require-options.ts'
import { writeLetter } from './write-letter.ts'

export interface Consumer<Message> {
  readonly concurrency: number
  /** The options, as they were read. */
  readonly read: ReadOnce
  /**
   * Handles one delivery, and tells the broker what came of it. Resolves with undefined when the message is done, else
   * with the time after which it has to be tried again, in milliseconds. Never throws. Gives it back while draining.
   */
  consume(delivery: Delivery<Message>): Promise<number | undefined>
  /** Tells `onError`. */
  failed(error: unknown): void
  /** Aborts when no more deliveries are to be taken. */
  readonly stopping: AbortSignal
  /** Takes no more, waits for the messages at hand and until the binding has `stopped`, and counts the unfinished ones. */
  drain(options: { readonly timeout?: Duration } | undefined, stopped: Promise<unknown>): Promise<Drained>
}

const DEFAULT_CONCURRENCY = 10
/** The time that `parse`, `id`, `scope` and `payload` have together, if `maxRun` is not shorter. */
export const READ_MS = 60_000
/** Deliveries after which a message that cannot be read in time counts as unreadable. */
const READ_TRIES = 5

/**
 * Makes the part that all bindings share, for a binding of another broker. `group` is the consumer group: the operation
 * of its records.
 *
 * @example
 * import { createIdempotency, unscoped } from '@retryproof/core'
 * import { memoryStore } from '@retryproof/memory'
 * import { createConsumer, type Delivery } from '@retryproof/messaging'
 *
 * const idempotency = createIdempotency({ store: memoryStore(), namespace: 'shop' })
 * const consumer = createConsumer(idempotency, 'shipping', { scope: unscoped }, async (order) => {
 *   console.log('ship', order)
 * })
 * export const onDelivery = (delivery: Delivery<unknown>) => consumer.consume(delivery)
 *
 * @throws {@link IdempotencyInvalidOptionError} when an option cannot be used
 */
export function createConsumer<Message, Body, Tx, InTransaction extends boolean>(
  idempotency: Idempotency<Tx>,
  group: string,
  options: ConsumerOptions<Message, Body, InTransaction>,
  handler: MessageHandler<Message, Body, Tx, InTransaction>,
): Consumer<Message> {
  requireOptions(idempotency, options)
  const {
    scope,
    id,
    parse = parseJson as (bytes: Uint8Array) => Body,
    payload,
    concurrency = DEFAULT_CONCURRENCY,
    onVerdict,
    onError,
    ...policies
  } = options
  if (!Number.isInteger(concurrency) || concurrency < 1) {
    throw new IdempotencyInvalidOptionError('concurrency', `must be a whole number from 1, got ${concurrency}`)
  }
  if (scope === undefined)
    throw new IdempotencyInvalidOptionError('scope', 'must say whose messages these are, or be `unscoped`')
  if (typeof handler !== 'function') throw new IdempotencyInvalidOptionError('handler', 'must be a function')
  const readers: Parameters<typeof readDelivery<Message, Body>>[0] = {
    scope,
    parse,
    ...(id && { id }),
    ...(payload && { payload }),
  }
  const oncePolicies = policies as OnceOptions<InTransaction>
  const read = readOnce(idempotency, oncePolicies)
  const once = createOnce(idempotency, group, oncePolicies)
  const records = idempotency.operation(group)
  const atHand = new Set<Promise<unknown>>()
  const stopping = new AbortController()
  // each delivery that waits listens
  setMaxListeners(0, stopping.signal)
  const rules = { group, delays: read.delays, stopping: stopping.signal, failed }

  function failed(error: unknown): void {
    if (onError) tell('onError', () => onError(error))
    else warn(`A consumer of '${group}' could not do its part`, error)
  }

  async function hasRecord(reference: Omit<Reference, 'operation'>): Promise<boolean> {
    try {
      return (await records.inspect(reference)) !== null
    } catch (error) {
      if (isIdempotencyError(error, 'IDEMPOTENCY_INVALID_CALL')) return false
      throw error
    }
  }

  async function verdictOf(delivery: Delivery<Message>, heartbeat: Heartbeat): Promise<Verdict> {
    const { message, header, messageId, isLastDelivery = false, deliveries = 1 } = delivery
    const known = header(ID_HEADER) ?? messageId
    const unread = (letter: DeadLetter) =>
      putAway(read, { deliveries, deadLetter: (given) => writeLetter(rules, delivery, given, known) }, letter)
    let readable: Awaited<ReturnType<typeof readDelivery<Message, Body>>>
    try {
      readable = await inTime(Math.min(READ_MS, read.maxRunMs), 'The message was not read', () =>
        readDelivery(readers, delivery, hasRecord),
      )
    } catch (error) {
      if (isTimeout(error) && deliveries >= READ_TRIES) {
        return unread({ reason: 'unreadable', description: 'It was not read in time.', error })
      }
      if (isLastDelivery) return unread({ reason: 'last-delivery', description: describeThrown(error), error })
      return { action: 'redeliver', delayMs: growingDelay(read.delays, deliveries), because: 'unavailable', error }
    }
    if ('reason' in readable) return unread(readable)
    const { body, ...incoming } = readable
    const work: MessageWork<Tx, InTransaction> = (attempt, tx) => {
      heartbeat.endsWith(attempt.signal)
      return handler(body, { attempt, tx, message })
    }
    const deadLetter = (letter: DeadLetter) => writeLetter(rules, delivery, letter, id ? known : incoming.id)
    return once({ ...incoming, deliveries, isLastDelivery, isRedriven: roundOf(delivery) > 0, deadLetter }, work)
  }

  async function settle(delivery: Delivery<Message>): Promise<number | undefined> {
    const heartbeat = startHeartbeat(delivery, failed)
    try {
      // the last delivery is handled even now, since the message would be lost
      const verdict: Verdict =
        stopping.signal.aborted && !delivery.isLastDelivery
          ? { action: 'redeliver', delayMs: 0, because: 'draining' }
          : await verdictOf(delivery, heartbeat)
      heartbeat.stop()
      tell('onVerdict', () => onVerdict?.(verdict, delivery.message))
      if (verdict.because === 'unavailable' || verdict.because === 'timed-out') failed(verdict.error)
      const { redeliver } = delivery
      if (verdict.action === 'ack') await inTime(IN_TIME_MS, 'The acknowledgement was not sent', () => delivery.ack())
      else await inTime(IN_TIME_MS, 'The message was not given back', () => redeliver?.(verdict.delayMs))
      return verdict.action === 'ack' ? undefined : verdict.delayMs
    } catch (error) {
      // unacknowledged, it comes back, and is then found to be a duplicate
      failed(error)
      return growingDelay(read.delays, delivery.deliveries ?? 1)
    } finally {
      heartbeat.stop()
    }
  }

  return {
    concurrency,
    read,
    failed,
    stopping: stopping.signal,
    consume(delivery) {
      const settled = settle(delivery).finally(() => atHand.delete(settled))
      atHand.add(settled)
      return settled
    },
    async drain({ timeout = '30s' } = {}, stopped) {
      const timeoutMs = toMs('timeout', timeout)
      stopping.abort()
      const all = stopped.catch(() => undefined).then(() => Promise.all(atHand))
      await inTime(timeoutMs, 'Messages were not finished', () => all).catch(() => undefined)
      return { unfinished: atHand.size }
    },
  }
}

/** Calls a listener. An error of it harms no message. */
function tell(name: string, listen: () => unknown): void {
  const listening = async () => listen()
  listening().catch((error) => warn(`\`${name}\` threw`, error))
}

const utf8 = new TextDecoder('utf-8', { fatal: true })

function parseJson(bytes: Uint8Array): unknown {
  return JSON.parse(utf8.decode(bytes))
}
