/** Rules by which a dead letter of any broker is written: it ends somewhere, in bounded time, and not in a hot circle. */
import { sleep } from '@retryproof/core/internal'
import type { ReadOnce } from '../once/once-options.ts'
import { growingDelay } from '../once/redelivery-delay.ts'
import type { DeadLetter } from '../once/verdict.ts'
import type { Delivery } from './delivery.ts'
import { IN_TIME_MS, inTime, isTimeout } from './in-time.ts'
import { letterHeaders, roundOf } from './letter-headers.ts'

/** Slower rounds would let a publisher that forges the counter hold a consumer back for longer than a failing handler does. */
const SLOWEST_ROUND = 5
/** Refusals of one message before an error of an unknown kind counts as one that will not pass. */
const PATIENCE = 5

/** Forms of a letter: the whole one, and smaller ones after a refusal that will not pass. */
const ladder = [
  { withHeaders: true, withBody: true },
  { withHeaders: false, withBody: true },
  { withHeaders: false, withBody: false },
] as const

export interface LetterRules {
  readonly group: string
  readonly delays: ReadOnce['delays']
  readonly stopping: AbortSignal
  /** Tells `onError`. */
  failed(error: unknown): void
}

/**
 * Publishes a dead letter, and resolves when it is confirmed. Slows a message that is a dead letter already, so that
 * dead letters that lead back to their consumer do not flood the broker. Leaves out headers, then the body, where the
 * broker refuses them for good, and tells `onError`.
 */
export async function writeLetter<Message>(
  { group, delays, stopping, failed }: LetterRules,
  delivery: Delivery<Message>,
  letter: DeadLetter,
  id: string | undefined,
): Promise<void> {
  const round = roundOf(delivery)
  if (round > 0) await sleep(growingDelay(delays, Math.min(round, SLOWEST_ROUND)), stopping)
  const origin = { ...delivery.origin }
  const headers = letterHeaders(group, letter, { origin, round: round + 1, ...(id !== undefined && { id }) })
  let refusal: unknown
  for (const parts of ladder) {
    const leftOut = parts.withHeaders ? undefined : parts.withBody ? 'headers' : 'headers and body'
    const all = leftOut === undefined ? headers : { ...headers, 'retryproof-left-out': leftOut }
    try {
      await inTime(IN_TIME_MS, 'The dead letter was not confirmed', () => delivery.publish({ headers: all, ...parts }))
      if (leftOut !== undefined) failed(leftOutError(group, leftOut, all, refusal))
      return
    } catch (error) {
      if (!isRefused(delivery, error)) throw error
      refusal = error
    }
  }
  throw refusal
}

function isRefused<Message>({ isRefusal, deliveries = 1 }: Delivery<Message>, error: unknown): boolean {
  return isRefusal(error) || (deliveries > PATIENCE && !isTimeout(error))
}

function leftOutError(group: string, leftOut: string, headers: object, cause: unknown): Error {
  const message = `A dead letter of '${group}' was written without its ${leftOut}: ${JSON.stringify(headers)}`
  return new Error(message, { cause })
}
