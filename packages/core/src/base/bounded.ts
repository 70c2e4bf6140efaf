/** Bounds: for an answer, and for how much runs at a time. */
import { createTimers, type Timed } from './timer-queue.ts'

/** Of all answers that are waited for. */
const times = createTimers()

/**
 * The time of an answer. An answer that arrived while the event loop was blocked counts: it is read after the timers, so that a
 * second time follows the first.
 */
export class Bound implements Timed {
  dueAt = 0
  place = -1
  readonly isBackground = false
  readonly #timers: typeof times
  readonly #late: () => void
  #isDue = false
  #isOver = false

  constructor(ms: number, late: () => void, timers = times) {
    this.#timers = timers
    this.#late = late
    timers.start(this, ms)
  }

  /** Returns false where it has ended already. */
  end(): boolean {
    if (this.#isOver) return false
    this.#isOver = true
    this.#timers.stop(this)
    return true
  }

  onTime(): void {
    if (this.#isDue) {
      this.#isOver = true
      this.#late()
    } else {
      this.#isDue = true
      this.#timers.start(this, 0)
    }
  }
}

/** The answer of `pending`; after `ms`, the error of `late`, whatever becomes of the answer. */
export function within<T>(ms: number, pending: PromiseLike<T>, late: () => Error): Promise<T> {
  return new Promise((resolve, reject) => {
    const bound = new Bound(ms, () => reject(late()))
    Promise.resolve(pending).then(
      (answer) => {
        bound.end()
        resolve(answer)
      },
      (error) => {
        bound.end()
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
