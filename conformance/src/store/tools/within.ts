import { AssertionError } from 'node:assert'

/** Ample for any call that does not wait for a lease, on any machine. */
export const PATIENCE_MS = 5_000

/** The value of `promise`, unless it takes longer than `limitMs`. */
export async function within<T>(what: string, promise: PromiseLike<T>, limitMs = PATIENCE_MS): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new AssertionError({ message: `${what} took more than ${limitMs} ms` })), limitMs)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}
