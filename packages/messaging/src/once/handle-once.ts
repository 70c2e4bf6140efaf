/** The way of one message from its delivery to its verdict. */
import type { Call, FailureDecision, Operation, Outcome } from '@retryproof/core'
import { describeThrown, toMs, warn } from '@retryproof/core/internal'
import { judge } from './error-verdict.ts'
import type { IncomingMessage } from './message.ts'
import type { ReadOnce } from './once-options.ts'
import { putAway } from './put-away.ts'
import { growingDelay, MARGIN_MS } from './redelivery-delay.ts'
import type { DeadLetter, DeadLetterReason, Redeliver, Verdict } from './verdict.ts'
import { type Overdue, type Thrown, type Work, watchWork } from './watch-work.ts'

/** The time that a dead letter may take, with the brake of those that come round. */
const BURY_MAX_RUN = '5m'

/** Decides about a message whose handler failed. */
interface Failure {
  /** Present where the message is given up. */
  readonly letter?: DeadLetter
  readonly delayMs: number
}

/** Runs the work, unless the message was handled before or was attempted too often. Never throws. */
export async function handleOnce<Tx>(
  operation: Operation<Tx>,
  read: ReadOnce,
  message: IncomingMessage,
  work: Work<Tx>,
): Promise<Verdict> {
  const { id: key, scope, payload, deliveries = 1 } = message
  const { maxAttempts, delays } = read
  const call: Omit<Call, 'operation'> = { key, scope, ...(payload !== undefined && { payload }) }
  const watched = watchWork(work, maxAttempts)
  const failures = new WeakMap<Thrown, Failure>()

  /** Decides once for each failure: the core asks before it releases the key, and does not ask past `maxRun`. */
  function failureOf(thrown: Thrown): Failure {
    const failure = failures.get(thrown) ?? decideFailure(thrown)
    failures.set(thrown, failure)
    return failure
  }

  function decideFailure({ error, isTerminal }: Thrown): Failure {
    const { attempts } = watched
    const delayMs = growingDelay(delays, attempts)
    const giveUp = (reason: DeadLetterReason, why: string): Failure => {
      const description = `${why}: ${describeThrown(error)}`
      return { delayMs, letter: { reason, description, error, attempts: Math.min(attempts, maxAttempts) } }
    }
    if (attempts >= maxAttempts) return giveUp('max-attempts', `Failed ${maxAttempts} attempts`)
    const decision = isTerminal ? 'store' : decide(read.onFailure, error)
    if (decision === 'store') return giveUp('failed', 'Failed for good')
    if (message.isLastDelivery) return giveUp('last-delivery', 'Failed, and the broker would not deliver it again')
    return { delayMs: decision === 'retry' ? delayMs : toMs('onFailure.retry', decision.retry) }
  }

  /** Answers the core. The delay holds back copies of the message too; a message that is given up is not held back. */
  function onFailure(error: unknown): 'retry' | { readonly retry: number } {
    const failure = failureOf(watched.thrown ?? { error, isTerminal: false })
    return failure.letter ? 'retry' : { retry: failure.delayMs }
  }

  function redeliver(because: Redeliver['because'], error?: unknown, ms = growingDelay(delays, deliveries)): Redeliver {
    return { action: 'redeliver', delayMs: ms, because, error }
  }

  function run(): Promise<Outcome<unknown>> {
    return read.transaction
      ? operation.transaction(call, (tx, attempt) => watched.run(attempt, tx), { onFailure })
      : operation.run(call, (attempt) => watched.run(attempt, undefined), { onFailure })
  }

  try {
    const ended: Outcome<unknown> | Overdue = await Promise.race([run(), watched.overdue])
    if ('isOverdue' in ended) return redeliver('timed-out', ended.reason, growingDelay(delays, watched.attempts))
    if (ended.replayed) return { action: 'ack', because: 'duplicate' }
    if (ended.recorded) return { action: 'ack', because: 'handled', attempt: ended.attempt }
    const { releasedMs } = watched
    if (releasedMs === undefined) return redeliver('unrecorded')
    return redeliver('released', undefined, releasedMs === 0 ? undefined : releasedMs + MARGIN_MS)
  } catch (error) {
    const { thrown } = watched
    if (thrown && Object.is(thrown.error, error)) {
      const { letter, delayMs } = failureOf(thrown)
      return letter ? bury(letter) : redeliver('failed', error, delayMs + MARGIN_MS)
    }
    const judged = judge(error, delays, deliveries)
    if (!judged) return readRecord(error)
    return judged.action === 'bury' ? putAway(read, message, judged.letter) : judged
  } finally {
    watched.end()
  }

  /**
   * Gives the message up as an attempt of its own, so that one consumer does it: confirms the dead letter, then settles
   * the record. A crash between the two may make a second dead letter; none is lost.
   */
  async function bury(letter: DeadLetter): Promise<Verdict> {
    let confirmed = false
    try {
      await operation.run(
        call,
        async () => {
          await message.deadLetter(letter)
          confirmed = true
          // the handler's own error may be a value that no store can hold
          throw new Error(letter.description)
        },
        { onTakeover: 'rerun', maxRun: BURY_MAX_RUN, onFailure: () => (confirmed ? 'store' : 'retry') },
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

  /** Reads the record after an error that says nothing of the message: the stored failure of one that was given up, for instance. */
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
      // emitted as storeUnavailable; an unknown state acknowledges nothing
      return undefined
    }
  }
}

/** Asks `onFailure`. An answer that is none (a promise, for instance) or a throw means `'retry'`, with a process warning. */
function decide(onFailure: ReadOnce['onFailure'], error: unknown): FailureDecision {
  if (typeof onFailure !== 'function') return onFailure
  try {
    const decision: unknown = onFailure(error)
    // a promise decides too late, and its rejection must not end the process
    Promise.resolve(decision).catch(() => undefined)
    if (decision === 'store' || decision === 'retry') return decision
    const { retry } = Object(decision) as { readonly retry?: number }
    if (retry !== undefined) return { retry: toMs('onFailure.retry', retry) }
    throw new TypeError("`onFailure` must return 'retry', 'store' or { retry }, and no promise.")
  } catch (problem) {
    warn('`onFailure` decided nothing, so the message comes back', problem)
    return 'retry'
  }
}
