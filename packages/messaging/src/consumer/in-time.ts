import { startTimer } from '@retryproof/core/internal'

/** The time that a broker has to confirm what it was told, in milliseconds. */
export const IN_TIME_MS = 30_000

/** Calls `act` and gives its value. Rejects with a TimeoutError after `ms`; what `act` does then is left to itself. */
export function inTime<T>(ms: number, late: string, act: () => T | Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = startTimer(ms, () =>
      reject(Object.assign(new Error(`${late} within ${ms} ms.`), { name: 'TimeoutError' })),
    )
    const acting = async () => act()
    void acting().finally(stop).then(resolve, reject)
  })
}

/** Recognizes the error of `inTime`. */
export function isTimeout(error: unknown): boolean {
  return (error as { readonly name?: unknown } | null | undefined)?.name === 'TimeoutError'
}
