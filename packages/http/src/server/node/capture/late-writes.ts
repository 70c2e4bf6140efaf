/** Refuses writes after the end of an answer that is held. */
import { readWriteArguments } from './write-arguments.ts'

/** Gives what tells whether the answer was complete before this turn of the microtask queue. Handles its error, which nobody may wait for. */
export function watchPast(answered: Promise<unknown>): () => boolean {
  let isPast = false
  answered.then(
    () => {
      isPast = true
    },
    () => undefined,
  )
  return () => isPast
}

/**
 * Refuses it as Node does once the answer has left, by the callback alone. Before that Node emits an error, which ends the
 * process where nobody listens.
 */
export function refuseLate(rest: readonly unknown[]): false {
  const { callback } = readWriteArguments(rest)
  const error = Object.assign(new Error('write after end'), { code: 'ERR_STREAM_WRITE_AFTER_END' })
  if (callback) process.nextTick(callback, error)
  return false
}
