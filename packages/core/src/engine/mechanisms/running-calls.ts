/** The calls that this instance is serving, so that a shutdown can wait for them. */
import { sleep } from '../../base/timers.ts'

/** One call from its first store call to its last. */
export interface ServedCall {
  /** Set once its handler runs: ends the heartbeat and aborts the signal; the record is left to its lease. */
  abandon?: (reason: string) => void
  /** Resolves when its last store call is over, which may be after it was answered. */
  recording: Promise<unknown>
}

export interface RunningCalls {
  /** Counts a call until its work, and a recording that outlives it, is over. */
  serve<T>(work: (call: ServedCall) => Promise<T>): Promise<T>
  /** Resolves when what runs now is over, or the time is. */
  idle(timeoutMs: number): Promise<void>
  /** Leaves what still runs to its lease, and says how many attempts that were. */
  abandonAll(reason: string): number
}

export function createRunningCalls(): RunningCalls {
  const calls = new Map<ServedCall, Promise<void>>()

  return {
    async serve(work) {
      const call: ServedCall = { recording: Promise.resolve() }
      const answer = work(call)
      const over = answer
        .catch(() => undefined)
        .then(() => call.recording)
        .then(() => {
          calls.delete(call)
        })
      calls.set(call, over)
      return answer
    },

    async idle(timeoutMs) {
      const over = new AbortController()
      void Promise.all(calls.values()).then(() => over.abort())
      await sleep(timeoutMs, over.signal)
    },

    abandonAll(reason) {
      const attempts = [...calls.keys()].filter((call) => call.abandon)
      for (const { abandon } of attempts) abandon?.(reason)
      return attempts.length
    },
  }
}
