/** What every binding does with a delivery: read it, handle it once, and tell the broker. */
import { type Duration, type Idempotency, IdempotencyInvalidOptionError } from '@retryproof/core'
import { toMs, warn } from '@retryproof/core/internal'
import { putAway } from '../once/dead-letter.ts'
import type { IncomingMessage, MessageWork } from '../once/message.ts'
import { createOnce } from '../once/once.ts'
import { type OnceOptions, type ReadOnce, readOnce } from '../once/once-options.ts'
import type { DeadLetter, Verdict } from '../once/verdict.ts'
import type { ConsumerOptions, Drained, MessageHandler } from './consumer-options.ts'
import type { Delivery } from './delivery.ts'

export interface Consumer<Message> {
  readonly concurrency: number
  /** What was made of the options. */
  readonly read: ReadOnce
  /** Handles one delivery, and tells the broker what came of it. Never throws. While draining it gives it back. */
  consume(delivery: Delivery<Message>): Promise<void>
  /** Tells `onError`. */
  failed(error: unknown): void
  /** Aborts when no more deliveries are to be taken. */
  readonly stopping: AbortSignal
  /** Takes no more, waits for what is at hand and until the binding has `stopped`, and says how many deliveries are unfinished. */
  drain(options: { readonly timeout?: Duration } | undefined, stopped: Promise<unknown>): Promise<Drained>
}

const DEFAULT_CONCURRENCY = 10

/**
 * The part that all bindings share.
 *
 * @param group the consumer group: the operation of its records
 * @throws IdempotencyInvalidOptionError
 */
export function createConsumer<Message, Body, Tx, InTransaction extends boolean>(
  idempotency: Idempotency<Tx>,
  group: string,
  options: ConsumerOptions<Message, Body, InTransaction>,
  handler: MessageHandler<Message, Body, Tx, InTransaction>,
): Consumer<Message> {
  const {
    scope,
    id,
    parse = parseJson,
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
  const oncePolicies = policies as OnceOptions<InTransaction>
  const read = readOnce(idempotency, oncePolicies)
  const once = createOnce(idempotency, group, oncePolicies)
  const atHand = new Set<Promise<void>>()
  const stopping = new AbortController()

  function failed(error: unknown): void {
    if (onError) guarded('onError', () => onError(error))
    else warn(`A consumer of '${group}' could not do what it had to`, error)
  }

  /** What `once` is to know of a delivery, or why it cannot know it. */
  function readDelivery(delivery: Delivery<Message>): { incoming: IncomingMessage; body: Body } | DeadLetter {
    const { message, body: bytes, messageId, deliveries = 1, isLastDelivery = false, isRedriven } = delivery
    try {
      const body = parse(bytes, message) as Body
      const name = id ? id(body, message) : messageId
      if (name === undefined || name === '') return { reason: 'no-id', description: 'It has no id.' }
      const incoming: IncomingMessage = {
        id: name,
        scope: typeof scope === 'function' ? scope(body, message) : scope,
        payload: payload ? payload(body, message) : bytes,
        deliveries,
        isLastDelivery,
        isRedriven,
        deadLetter: delivery.deadLetter,
      }
      return { incoming, body }
    } catch (error) {
      return { reason: 'unreadable', description: `It cannot be read: ${String(error)}`, error }
    }
  }

  async function verdictOf(delivery: Delivery<Message>, held: Held): Promise<Verdict> {
    const readable = readDelivery(delivery)
    if ('reason' in readable) return putAway(read, { ...delivery, deliveries: delivery.deliveries ?? 1 }, readable)
    const { incoming, body } = readable
    const { message } = delivery
    const work: MessageWork<Tx, InTransaction> = (attempt, tx) => {
      held.until(attempt.signal)
      return handler(body, { attempt, tx, message })
    }
    return once(incoming, work)
  }

  async function settle(delivery: Delivery<Message>): Promise<void> {
    const held = hold(delivery, failed)
    try {
      // what would not be delivered again is handled yet
      const verdict: Verdict =
        stopping.signal.aborted && !delivery.isLastDelivery
          ? { action: 'redeliver', delayMs: 0, because: 'draining' }
          : await verdictOf(delivery, held)
      held.stop()
      guarded('onVerdict', () => onVerdict?.(verdict, delivery.message))
      if (verdict.because === 'unavailable') failed(verdict.error)
      await (verdict.action === 'ack' ? delivery.ack() : delivery.redeliver(verdict.delayMs))
    } catch (error) {
      // unacknowledged, it comes back, and is then found to be a duplicate
      failed(error)
    } finally {
      held.stop()
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
      let timer: ReturnType<typeof setTimeout> | undefined
      const tooLate = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, timeoutMs)
      })
      await Promise.race([stopped.catch(() => undefined).then(() => Promise.all(atHand)), tooLate])
      clearTimeout(timer)
      return { unfinished: atHand.size }
    },
  }
}

/** What only listens must not harm what it listens to. */
function guarded(name: string, tell: () => void): void {
  try {
    tell()
  } catch (error) {
    warn(`\`${name}\` threw`, error)
  }
}

interface Held {
  /** No longer than the attempt may work: what hangs is left to others. */
  until(signal: AbortSignal): void
  stop(): void
}

/** The heartbeat of a delivery. It ends with that of the attempt, so that the broker and the store let go together. */
function hold<Message>({ extend }: Delivery<Message>, failed: (error: unknown) => void): Held {
  if (!extend) return { until: () => {}, stop: () => {} }
  const timer = setInterval(async () => {
    try {
      await extend.act()
    } catch (error) {
      failed(error)
    }
  }, extend.everyMs)
  const stop = () => clearInterval(timer)
  return { until: (signal) => signal.addEventListener('abort', stop), stop }
}

const utf8 = new TextDecoder('utf-8', { fatal: true })

function parseJson(bytes: Uint8Array): unknown {
  return JSON.parse(utf8.decode(bytes))
}
