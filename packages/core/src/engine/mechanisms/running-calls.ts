/** The calls that this instance is serving, so that a shutdown can wait for them. */
import { sleep } from '../../base/timers.ts'

/** One call from its first store call to its last. */
export interface ServedCall {
  /** Set once its handler runs: ends the heartbeat and aborts the signal; the record is left to its lease. */
  lease: Abandonable | undefined
  /** Set where its last store call outlives its answer: resolves when that is over. */
  recording: Promise<unknown> | undefined
  /** Its place among the calls that run. Kept by them. */
  place: number
}

interface Abandonable {
  abandon(reason: string): void
}

export interface RunningCalls {
  /** Counts a call until `end`. */
  begin(): ServedCall
  /** Counts a call no more once its recording is over. */
  end(call: ServedCall): void
  /** Resolves a turn of the event loop after what runs now is over, or when the time is. */
  idle(timeoutMs: number): Promise<void>
  /** Leaves what still runs to its lease, and says how many attempts that were. */
  abandonAll(reason: string): number
}

export function createRunningCalls(): RunningCalls {
  /** No set: V8 links the table of a set to the one that replaces it, and old tables then keep young calls alive. */
  const calls: ServedCall[] = []
  /** Called with each call that is over. */
  const watchers = new Set<(call: ServedCall) => void>()

  function over(call: ServedCall): void {
    const last = calls.pop()
    if (last && last !== call) {
      calls[call.place] = last
      last.place = call.place
    }
    if (watchers.size > 0) for (const watch of watchers) watch(call)
  }

  return {
    begin() {
      const call: ServedCall = { lease: undefined, recording: undefined, place: calls.length }
      calls.push(call)
      return call
    },

    end(call) {
      if (call.recording !== undefined) void call.recording.finally(() => over(call))
      else over(call)
    },

    async idle(timeoutMs) {
      const left = new Set(calls)
      if (left.size === 0) return
      const idle = new AbortController()
      const watch = (call: ServedCall) => {
        if (left.delete(call) && left.size === 0) idle.abort()
      }
      watchers.add(watch)
      await sleep(timeoutMs, idle.signal)
      watchers.delete(watch)
      // the last answers are written in this turn of the event loop: a connection that closes now would cut them off
      if (left.size === 0) await sleep(0)
    },

    abandonAll(reason) {
      const attempts = calls.filter((call) => call.lease)
      for (const { lease } of attempts) lease?.abandon(reason)
      return attempts.length
    },
  }
}
