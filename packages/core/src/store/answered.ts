/** Promises that show what they are fulfilled with, so that their reader need not wait. */

import type { MaybePromise } from '../base/maybe-promise.ts'

const ANSWER: unique symbol = Symbol.for('retryproof.answer')

/**
 * For stores that wait for nothing: runs `work` and returns its answer as a promise. The core reads the answer from the
 * promise itself, without a timer and without a turn of the microtask queue; everybody else awaits it.
 *
 * @example
 * import { answered, type RecordView } from '@retryproof/core/store'
 *
 * const views = new Map<string, RecordView>()
 * const get = (key: string) => answered(() => views.get(key) ?? null)
 */
export function answered<T>(work: () => T): Promise<T> {
  try {
    const answer = work()
    const promise: Promise<T> & { [ANSWER]?: T } = Promise.resolve(answer)
    promise[ANSWER] = answer
    return promise
  } catch (error) {
    return Promise.reject(error)
  }
}

/** Returns the answer that a promise shows, else the promise. */
export function answerOf<T>(promise: Promise<T>): MaybePromise<T> {
  // a store without types may return anything
  const answer = (promise as { readonly [ANSWER]?: T } | null | undefined)?.[ANSWER]
  return answer === undefined ? promise : answer
}
