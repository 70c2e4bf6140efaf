/** Refuses writes after the end of an answer that is held, and tells which those are. */
import type { HandlerAnswer } from '../../../protocol/exchange.ts'
import { readWriteArguments } from './write-arguments.ts'

/** The answer of a handler that is to be settled. */
export interface PendingAnswer {
  /** Its error is handled: nobody may wait for it. */
  readonly answered: Promise<HandlerAnswer>
  readonly settle: { resolve(answer: HandlerAnswer): void; reject(error: unknown): void }
  /** Tells whether the answer was complete before this turn of the microtask queue. */
  isPast(): boolean
}

export function pendingAnswer(): PendingAnswer {
  let settle: PendingAnswer['settle'] | undefined
  let isPast = false
  const answered = new Promise<HandlerAnswer>((resolve, reject) => {
    settle = { resolve, reject }
  })
  answered.then(
    () => {
      isPast = true
    },
    () => undefined,
  )
  return { answered, settle: settle as PendingAnswer['settle'], isPast: () => isPast }
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
