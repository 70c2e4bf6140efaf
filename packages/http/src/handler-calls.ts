/** What a guard calls of a binding, and what the binding's handler is told. */
import type { Attempt, Steps } from '@retryproof/core'
import type { HandlerAnswer, HttpResponse } from './exchange.ts'

/** What a handler is told about the attempt that it is. In a transaction it has no steps: that is one step. */
export type HandlerAttempt = Attempt & Steps<unknown>

export interface HandlerCalls<Tx> {
  /**
   * Runs the handler, and gives what it answered once that is complete. Its end is held back until the decision is
   * there, so that no answer leaves before it is recorded. In a transaction it may be called again after a conflict.
   */
  execute(attempt: HandlerAttempt, tx: Tx | undefined): Promise<HandlerAnswer>
  /** Answers the client now; `execute` comes afterwards, and what it gives is only recorded. */
  answerEarly(response: HttpResponse): Promise<void>
}

/** Calls of a handler, and what became of them. */
export interface WatchedCalls<Tx> extends HandlerCalls<Tx> {
  /** Whether this is what the handler threw: the application's, even where it is an error of this library. */
  threw(error: unknown): boolean
  wasAnswered(): boolean
}

export function watchCalls<Tx>({ execute, answerEarly }: HandlerCalls<Tx>): WatchedCalls<Tx> {
  let thrown: { readonly error: unknown } | undefined
  let answered = false
  return {
    async execute(attempt, tx) {
      try {
        return await execute(attempt, tx)
      } catch (error) {
        thrown = { error }
        throw error
      }
    },
    async answerEarly(response) {
      answered = true
      await answerEarly(response)
    },
    threw: (error) => thrown !== undefined && thrown.error === error,
    wasAnswered: () => answered,
  }
}
