/** Bounds of waits. */

export interface Limit {
  /** Aborts when the time is over, with any of the signals, or by `abort`. */
  readonly signal: AbortSignal
  abort(): void
  /** Lifts the limit of time; the signals still count. */
  stopClock(): void
  /** Lets go of timer and signals, so that nothing is kept for a wait that is over. */
  release(): void
}

interface Bounds {
  readonly signals?: readonly (AbortSignal | null | undefined)[]
  readonly ms?: number
}

/** Made by hand: on some platforms `AbortSignal.any` leaves a trace on a long-lived signal, and a time-out cannot be lifted. */
export function limit({ signals = [], ms }: Bounds): Limit {
  const controller = new AbortController()
  const released = new AbortController()
  const timer = ms === undefined ? undefined : setTimeout(() => controller.abort(timeOut(ms)), ms)
  for (const signal of signals) {
    if (signal?.aborted) controller.abort(signal.reason)
    signal?.addEventListener('abort', () => controller.abort(signal.reason), { signal: released.signal })
  }
  const stopClock = () => clearTimeout(timer)
  return {
    signal: controller.signal,
    abort: () => controller.abort(),
    stopClock,
    release() {
      stopClock()
      released.abort()
    },
  }
}

/** Settles as `work` does; rejects with the reason of `signal` when that aborts first, although `work` may not notice. */
export async function bounded<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const over = new AbortController()
  try {
    return await Promise.race([
      work,
      new Promise<never>((_, reject) => {
        if (signal.aborted) reject(signal.reason)
        signal.addEventListener('abort', () => reject(signal.reason), { signal: over.signal })
      }),
    ])
  } finally {
    over.abort()
  }
}

/** Makes no DOMException, which React Native lacks. */
function timeOut(ms: number): Error {
  return Object.assign(new Error(`No end in ${ms} ms.`), { name: 'TimeoutError' })
}

/** Tells the error of a limit of time from any other. */
export function isTimeOut(error: unknown): boolean {
  return error instanceof Error && error.name === 'TimeoutError'
}

/** As `bounded`, by time alone. */
export async function inTime<T>(work: Promise<T>, ms: number): Promise<T> {
  const { signal, release } = limit({ ms })
  try {
    return await bounded(work, signal)
  } finally {
    release()
  }
}
