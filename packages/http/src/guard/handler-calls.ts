/** What a guard calls of a binding, and what the binding's handler is told. */
import type { HandlerCalls } from './ports.ts'

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
