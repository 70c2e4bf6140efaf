/** Many timers behind one of the runtime: each call has several, and nearly all are stopped before they are due. */
import { contextOfNone } from './async-context.ts'

/** An object that waits for its time. */
export interface Timed {
  /** The end of its time, by the monotonic clock. Kept by the queue. */
  dueAt: number
  /** Its place in the queue; -1 outside. Kept by the queue. */
  place: number
  /** It keeps no process alive. */
  readonly isBackground: boolean
  /** Called in the async context of no call. */
  onTime(): void
}

const OUTSIDE = -1
/** A timer of the runtime that is this late will not come: the clock on which it was started was a test's. */
const LATE_MS = 1000
const MIN_MS = 0.001
/** The longest timer of the runtime: a longer one would fire at once. */
const MAX_MS = 2 ** 31 - 1

const { navigator } = globalThis as { readonly navigator?: { readonly userAgent?: string } }
const userAgent = navigator?.userAgent ?? ''
const isCloudflare = userAgent === 'Cloudflare-Workers'
/** Makes timers that may stay armed. A clock of tests ends its own when it is told to, and a test of Deno that leaves one fails. */
const lasting = isCloudflare || userAgent.startsWith('Deno/') || 'clock' in setTimeout ? undefined : setTimeout

/**
 * A heap: the first to come is the first in it. A timer of the runtime that nothing waits for any more stays armed for the next
 * call, where it keeps no process alive: to make and to stop one for each call costs more than all else of a time-out.
 */
export class TimerQueue {
  readonly #heap: Timed[] = []
  #foreground = 0
  #armedFor = Number.POSITIVE_INFINITY
  #keepsAlive = true
  /** The time of the pass that is under way. */
  #passAt = Number.NEGATIVE_INFINITY
  #timer: ReturnType<typeof setTimeout> | undefined
  /** The function that made the timer: a clock of tests takes its timers along when it goes, and knows no others. */
  #madeBy: typeof setTimeout | undefined

  /** Starts, or starts anew. A time that is no number is over at once. */
  start(timed: Timed, ms: number): void {
    const now = performance.now()
    this.startUntil(timed, now + (ms || 0), now)
  }

  /** Starts a time that ends at a moment of the monotonic clock, or starts it anew. */
  startUntil(timed: Timed, dueAt: number, now: number): void {
    if (timed.place !== OUTSIDE) this.#remove(timed)
    // never in the pass that starts it: what arrived meanwhile has its turn before
    timed.dueAt = Math.max(dueAt, now, this.#passAt + MIN_MS)
    if (!timed.isBackground) this.#foreground++
    this.#rise(timed, this.#heap.length)
    this.#arm(now)
  }

  stop(timed: Timed): void {
    if (timed.place === OUTSIDE) return
    this.#remove(timed)
    this.#keepAlive()
    if (this.#heap.length === 0 && (this.#keepsAlive || this.#madeBy !== lasting)) this.#clear()
  }

  /** Leaves an armed timer that comes early enough as it is. */
  #arm(now: number): void {
    const first = this.#heap[0]
    if (!first) {
      this.#clear()
      return
    }
    if (this.#armedFor > first.dueAt || now > this.#armedFor + LATE_MS || this.#madeBy !== setTimeout) {
      this.#clear()
      this.#armedFor = first.dueAt
      this.#madeBy = setTimeout
      const ms = Math.min(Math.ceil(Math.max(0, first.dueAt - now)), MAX_MS)
      this.#timer = contextOfNone.runInAsyncScope(() => setTimeout(() => this.#onTime(), ms), undefined)
      this.#keepsAlive = true
    }
    this.#keepAlive()
  }

  /** Keeps the process alive while something in the foreground waits. */
  #keepAlive(): void {
    const isNeeded = this.#foreground > 0
    if (isNeeded === this.#keepsAlive) return
    // timers of browsers are numbers
    const timer = this.#timer as { ref?(): void; unref?(): void } | undefined
    if (!timer?.unref) return
    this.#keepsAlive = isNeeded
    if (isNeeded) timer.ref?.()
    else timer.unref()
  }

  #clear(): void {
    if (this.#madeBy === setTimeout) clearTimeout(this.#timer)
    this.#timer = undefined
    this.#armedFor = Number.POSITIVE_INFINITY
  }

  #onTime(): void {
    const now = performance.now()
    this.#clear()
    this.#passAt = now
    try {
      for (let first = this.#heap[0]; first && first.dueAt <= now; first = this.#heap[0]) {
        this.#remove(first)
        first.onTime()
      }
    } finally {
      // one that throws ends the pass, and the others come in the next
      this.#passAt = Number.NEGATIVE_INFINITY
      this.#arm(performance.now())
    }
  }

  #remove(timed: Timed): void {
    const { place } = timed
    timed.place = OUTSIDE
    if (!timed.isBackground) this.#foreground--
    const last = this.#heap.pop()
    if (!last || last === timed) return
    this.#rise(last, place)
    if (last.place === place) this.#sink(last, place)
  }

  #rise(timed: Timed, from: number): void {
    let place = from
    while (place > 0) {
      const above = (place - 1) >> 1
      const parent = this.#heap[above]
      if (!parent || parent.dueAt <= timed.dueAt) break
      this.#put(parent, place)
      place = above
    }
    this.#put(timed, place)
  }

  #sink(timed: Timed, from: number): void {
    let place = from
    for (;;) {
      const left = 2 * place + 1
      const [one, other] = [this.#heap[left], this.#heap[left + 1]]
      const sooner = one && other && other.dueAt < one.dueAt ? other : one
      if (!sooner || sooner.dueAt >= timed.dueAt) break
      const below = sooner.place
      this.#put(sooner, place)
      place = below
    }
    this.#put(timed, place)
  }

  #put(timed: Timed, place: number): void {
    this.#heap[place] = timed
    timed.place = place
  }
}

/** Cloudflare ends the timers of a request with the request: each has one of its own there, made by the request that it serves. */
class LoneTimers extends TimerQueue {
  readonly #queues = new WeakMap<Timed, TimerQueue>()

  override startUntil(timed: Timed, dueAt: number, now: number): void {
    const queue = this.#queues.get(timed) ?? new TimerQueue()
    this.#queues.set(timed, queue)
    queue.startUntil(timed, dueAt, now)
  }

  override stop(timed: Timed): void {
    this.#queues.get(timed)?.stop(timed)
  }
}

export function createTimers(): TimerQueue {
  return isCloudflare ? new LoneTimers() : new TimerQueue()
}
