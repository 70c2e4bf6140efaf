/** Notes how a handler ended, at the place where it ended: its errors say nothing of its own message's key. */
import { type Attempt, IdempotencyMaxAttemptsError, type Release, type RollBack, type Steps } from '@retryproof/core'
import { isNotStarted, isRelease, isRollBack, isTerminal, startTimer } from '@retryproof/core/internal'

export type Work<Tx> = (attempt: Attempt & Partial<Steps<Tx>>, tx: Tx | undefined) => unknown

/** An error of the handler. */
export interface Thrown {
  readonly error: unknown
  /** The handler said that a retry cannot cure it. */
  readonly isTerminal: boolean
}

export interface WatchedWork<Tx> {
  readonly run: Work<Tx>
  /** The number of the attempt; 0 before one begins. */
  readonly attempts: number
  readonly thrown: Thrown | undefined
  /** The delay of the release that the handler returned, in milliseconds. */
  readonly releasedMs: number | undefined
  /** Resolves with the reason when the handler goes on although its attempt has ended. */
  readonly overdue: Promise<Overdue>
  /** Stops the watch. */
  end(): void
}

export interface Overdue {
  readonly isOverdue: true
  readonly reason: unknown
}

/** The time that a handler has to end after its signal aborted. */
const GRACE_MS = 1000

/** Wraps the work of one delivery. Fails it with IdempotencyMaxAttemptsError past `maxAttempts`. */
export function watchWork<Tx>(work: Work<Tx>, maxAttempts: number): WatchedWork<Tx> {
  const ended = new AbortController()
  let attempts = 0
  let thrown: Thrown | undefined
  let releasedMs: number | undefined
  let resolveOverdue: (overdue: Overdue) => void = () => {}
  const overdue = new Promise<Overdue>((resolve) => {
    resolveOverdue = resolve
  })

  function watchSignal(signal: AbortSignal): void {
    const start = () => {
      const stop = startTimer(GRACE_MS, () => resolveOverdue({ isOverdue: true, reason: signal.reason }))
      ended.signal.addEventListener('abort', stop)
    }
    if (signal.aborted) start()
    else signal.addEventListener('abort', start, { once: true, signal: ended.signal })
  }

  function noteThrown(error: unknown): never {
    thrown = { error: isNotStarted(error) || isTerminal(error) ? error.error : error, isTerminal: isTerminal(error) }
    // a recorded failure would be acknowledged without a dead letter
    throw thrown.isTerminal ? thrown.error : error
  }

  function noteReturned(returned: unknown): unknown {
    const value = returned as Release<unknown> | RollBack<unknown>
    const inner = isRollBack(value) ? value.returned : value
    if (isRelease(inner as Release<unknown>)) releasedMs = (inner as Release<unknown>).delayMs
    return returned
  }

  return {
    overdue,
    get attempts() {
      return attempts
    },
    get thrown() {
      return thrown
    },
    get releasedMs() {
      return releasedMs
    },
    run(attempt, tx) {
      attempts = attempt.number
      thrown = undefined
      releasedMs = undefined
      watchSignal(attempt.signal)
      try {
        if (attempts > maxAttempts) throw new IdempotencyMaxAttemptsError(maxAttempts)
        const returned = work(attempt, tx)
        // a synchronous transaction must not be given a promise
        return isThenable(returned) ? Promise.resolve(returned).then(noteReturned, noteThrown) : noteReturned(returned)
      } catch (error) {
        return noteThrown(error)
      }
    },
    end: () => ended.abort(),
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as { readonly then?: unknown } | null | undefined)?.then === 'function'
}
