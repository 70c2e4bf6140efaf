/** Clocks and timers. */

const MAX_TIMEOUT_MS = 2 ** 31 - 1

/** One instant on both clocks. The monotonic one cannot be set, the wall clock goes on while a machine sleeps. */
export interface Instant {
  readonly monotonic: number
  readonly wall: number
}

export function instant(): Instant {
  return { monotonic: performance.now(), wall: Date.now() }
}

export function later({ monotonic, wall }: Instant, ms: number): Instant {
  return { monotonic: monotonic + ms, wall: wall + ms }
}

/** Returns the milliseconds until an instant, by the clock that says less. A caller that has read the clocks gives `now`. */
export function msUntil({ monotonic, wall }: Instant, now?: Instant): number {
  return Math.min(monotonic - (now?.monotonic ?? performance.now()), wall - (now?.wall ?? Date.now()))
}

/** Returns the milliseconds until an instant; 0 where there is none. */
export function msLeft(until: Instant | undefined): number {
  return until ? msUntil(until) : 0
}

/** Calls back after `ms`, however many that are (a plain timer fires at once beyond 24.8 days). Returns a function that stops it. */
export function startTimer(ms: number, callback: () => void, { background = false } = {}): () => void {
  let timer: ReturnType<typeof setTimeout>
  const arm = (left: number) => {
    const part = Math.min(left, MAX_TIMEOUT_MS)
    timer = setTimeout(() => (left > part ? arm(left - part) : callback()), part)
    if (background) (timer as { unref?(): void }).unref?.()
  }
  arm(Math.max(0, ms))
  return () => clearTimeout(timer)
}

/** Waits for `ms`, or until `signal` aborts. In the background it keeps no process alive. */
export function sleep(ms: number, signal?: AbortSignal, options?: { background?: boolean }): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve()
    const done = () => {
      stop()
      signal?.removeEventListener('abort', done)
      resolve()
    }
    const stop = startTimer(ms, done, options)
    signal?.addEventListener('abort', done)
  })
}

/**
 * Exponential back-off with equal jitter: half of the ceiling, plus a random part of the other half. The ceiling is
 * `firstMs` for attempt 0, and doubles with each attempt up to `maxMs`.
 */
export function backOff(attempt: number, { firstMs, maxMs }: { firstMs: number; maxMs: number }): number {
  const ceiling = Math.min(maxMs, firstMs * 2 ** attempt)
  return ceiling / 2 + (Math.random() * ceiling) / 2
}
