import { within } from '@retryproof/core/internal'

/** The time that a broker has to confirm what it was told, in milliseconds. */
export const IN_TIME_MS = 30_000

/** Calls `act` and gives its value. Rejects with a TimeoutError after `ms`; the call itself goes on. */
export async function inTime<T>(ms: number, late: string, act: () => T | Promise<T>): Promise<T> {
  return within(ms, Promise.resolve(act()), () =>
    Object.assign(new Error(`${late} within ${ms} ms.`), { name: 'TimeoutError' }),
  )
}

/** Recognizes the error of `inTime`. */
export function isTimeout(error: unknown): boolean {
  return Object(error).name === 'TimeoutError'
}
