/** Bounds: for an answer, and for how much runs at a time. */
import { startTimer } from './timers.ts'

/**
 * The answer of `pending`; after `ms`, the error of `late`, whatever becomes of the answer. An answer that arrived while
 * the event loop was blocked counts: it is read after the timers, so that a second one waits for it.
 */
export function within<T>(ms: number, pending: PromiseLike<T>, late: () => Error): Promise<T> {
  return new Promise((resolve, reject) => {
    let stop = startTimer(ms, () => {
      stop = startTimer(0, () => reject(late()))
    })
    Promise.resolve(pending).then(
      (answer) => {
        stop()
        resolve(answer)
      },
      (error) => {
        stop()
        reject(error)
      },
    )
  })
}

/** Runs `work` when its turn has come. */
export type Turns = <T>(work: () => Promise<T>) => Promise<T>

/** At most `limit` at a time run; the others wait in order, each for at most `ms`, after which `late` says why it never ran. */
export function createTurns(limit: number, ms: number, late: () => Error): Turns {
  const waiting: (() => void)[] = []
  let running = 0

  async function enter(): Promise<void> {
    if (running < limit) {
      running++
      return
    }
    let next = () => {}
    const turn = new Promise<void>((resolve) => {
      next = resolve
    })
    waiting.push(next)
    try {
      await within(ms, turn, late)
    } catch (error) {
      waiting.splice(waiting.indexOf(next), 1)
      throw error
    }
  }

  /** Hands the place to the one that has waited longest, before any that comes now. */
  function leave(): void {
    const next = waiting.shift()
    if (next) next()
    else running--
  }

  return async (work) => {
    await enter()
    try {
      return await work()
    } finally {
      leave()
    }
  }
}
