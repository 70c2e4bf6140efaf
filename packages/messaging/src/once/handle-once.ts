/** The way of one message from its delivery to its verdict. */
import {
  type Attempt,
  type Call,
  IdempotencyMaxAttemptsError,
  type Operation,
  type Outcome,
  type Steps,
} from '@retryproof/core'
import { toMs } from '@retryproof/core/internal'
import { putAway } from './dead-letter.ts'
import { judge } from './error-verdict.ts'
import type { IncomingMessage } from './message.ts'
import type { ReadOnce } from './once-options.ts'
import { growingDelay, MARGIN_MS } from './redelivery-delay.ts'
import type { DeadLetter, Redeliver, Verdict } from './verdict.ts'

export type Work<Tx> = (attempt: Attempt & Partial<Steps<Tx>>, tx: Tx | undefined) => unknown

/** What the attempt of this delivery came to, where it failed. */
interface Failure {
  readonly error: unknown
  /** Set where the message is given up. */
  readonly letter?: DeadLetter
  readonly delayMs: number
}

/** Runs the work, unless the message was handled before, or has been attempted too often. Never throws. */
export async function handleOnce<Tx>(
  operation: Operation<Tx>,
  read: ReadOnce,
  message: IncomingMessage,
  work: Work<Tx>,
): Promise<Verdict> {
  const { id: key, scope, payload, deliveries = 1 } = message
  const { maxAttempts, delays } = read
  const call: Omit<Call, 'operation'> = { key, scope, ...(payload !== undefined && { payload }) }
  let attempts = 0
  const trial: { failure?: Failure } = {}

  function begin(attempt: Attempt & Partial<Steps<Tx>>, tx?: Tx): unknown {
    attempts = attempt.number
    if (attempts > maxAttempts) throw new IdempotencyMaxAttemptsError(maxAttempts)
    return work(attempt, tx)
  }

  /** The delay holds the copies of the message up as well. What is given up is not held up. */
  function onFailure(error: unknown): 'retry' | { readonly retry: number } {
    const failure = readFailure(error)
    trial.failure = failure
    return failure.letter ? 'retry' : { retry: failure.delayMs }
  }

  function readFailure(error: unknown): Failure {
    const delayMs = growingDelay(delays, attempts)
    const giveUp = (reason: DeadLetter['reason'], why: string): Failure => {
      const description = `${why}: ${error instanceof Error ? error.message : String(error)}`
      return { error, delayMs, letter: { reason, description, error, attempts: Math.min(attempts, maxAttempts) } }
    }
    if (attempts >= maxAttempts) return giveUp('max-attempts', `Attempted ${maxAttempts} times`)
    const decision = typeof read.onFailure === 'function' ? read.onFailure(error) : read.onFailure
    if (decision === 'store') return giveUp('failed', 'It failed for good')
    if (message.isLastDelivery) return giveUp('last-delivery', 'The broker would not deliver it again')
    return { error, delayMs: typeof decision === 'object' ? toMs('onFailure.retry', decision.retry) : delayMs }
  }

  function redeliver(because: Redeliver['because'], error?: unknown): Redeliver {
    return { action: 'redeliver', delayMs: growingDelay(delays, deliveries), because, error }
  }

  function run(): Promise<Outcome<unknown>> {
    return read.transaction
      ? operation.transaction(call, (tx, attempt) => begin(attempt, tx), { onFailure })
      : operation.run(call, (attempt) => begin(attempt), { onFailure })
  }

  try {
    const { replayed, recorded, attempt } = await run()
    if (replayed) return { action: 'ack', because: 'duplicate' }
    return recorded ? { action: 'ack', because: 'handled', attempt } : redeliver('unrecorded')
  } catch (error) {
    const { failure } = trial
    if (failure && failure.error === error) {
      return failure.letter
        ? bury(failure.letter)
        : { action: 'redeliver', delayMs: failure.delayMs + MARGIN_MS, because: 'failed', error }
    }
    const judged = judge(error, delays, deliveries)
    if (!judged) return readRecord(error)
    return judged.action === 'bury' ? putAway(read, message, judged.letter) : judged
  }

  /**
   * Gives the message up as an attempt of its own, so that one consumer does it: the dead letter is confirmed, and then
   * the record settled. A crash between the two may make a second dead letter; it loses none.
   */
  async function bury(letter: DeadLetter): Promise<Verdict> {
    let confirmed = false
    try {
      await operation.run(
        call,
        async () => {
          await message.deadLetter(letter)
          confirmed = true
          throw letter.error
        },
        { onTakeover: 'rerun', onFailure: () => (confirmed ? 'store' : 'retry') },
      )
    } catch (error) {
      const isRecorded = confirmed && (await stateOf()) === 'failed'
      if (isRecorded) return { action: 'ack', because: 'dead-letter', letter }
      return confirmed ? redeliver('unrecorded', error) : (redeliveryOf(error) ?? readRecord(error))
    }
    return { action: 'ack', because: 'duplicate' }
  }

  function redeliveryOf(error: unknown): Redeliver | undefined {
    const judged = judge(error, delays, deliveries)
    return judged?.action === 'redeliver' ? judged : undefined
  }

  /** An error that says nothing of the message: it may be the stored failure of one that was given up. */
  async function readRecord(error: unknown): Promise<Verdict> {
    const state = await stateOf()
    if (state === 'completed') return { action: 'ack', because: 'duplicate' }
    if (state !== 'failed') return redeliver('unavailable', error)
    if (!message.isRedriven) return { action: 'ack', because: 'duplicate' }
    const description = 'It was given up before. To have it handled again, forget its id, and then move it back.'
    return putAway(read, message, { reason: 'failed-before', description, error })
  }

  async function stateOf(): Promise<string | undefined> {
    try {
      return (await operation.inspect({ key, scope }))?.state
    } catch {
      // told as storeUnavailable; who does not know does not acknowledge
      return undefined
    }
  }
}
