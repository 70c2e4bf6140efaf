/** The calls that this instance is serving, so that a shutdown can wait for them. */
import { sleep } from './timers.ts'

/** One call from its first store call to its last. */
export interface ServedCall {
  /** Set while its handler runs: ends the heartbeat and aborts the signal; the record is left to its lease. */
  abandon?: (reason: string) => void
  /** Resolves when its last store call is over, which may be after it was answered. */
  recording: Promise<unknown>
}

export interface RunningCalls {
  /** Counts a call until its work, and a recording that outlives it, is over. */
  serve<T>(work: (call: ServedCall) => Promise<T>): Promise<T>
  /** Resolves when nothing runs, or the time is over. */
  idle(timeoutMs: number): Promise<void>
  /** Leaves what still runs to its lease, and says how many attempts that were. */
  abandonAll(reason: string): number
}

export function createRunningCalls(): RunningCalls {
  const calls = new Set<ServedCall>()
  let whenIdle = new AbortController()

  function leave(call: ServedCall): void {
    calls.delete(call)
    if (calls.size === 0) whenIdle.abort()
  }

  return {
    async serve(work) {
      const call: ServedCall = { recording: Promise.resolve() }
      calls.add(call)
      try {
        return await work(call)
      } finally {
        void call.recording.then(() => leave(call))
      }
    },

    async idle(timeoutMs) {
      whenIdle = new AbortController()
      if (calls.size > 0) await sleep(timeoutMs, whenIdle.signal)
    },

    abandonAll(reason) {
      const attempts = [...calls].filter((call) => call.abandon)
      for (const { abandon } of attempts) abandon?.(reason)
      return attempts.length
    },
  }
}
