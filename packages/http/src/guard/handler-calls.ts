/** The calls of a server, watched for what the guard has to know of them later. */
import type { HandlerCalls } from './handler-end.ts'

/** The calls of a server, and what became of them. */
export interface WatchedCalls<Tx> extends HandlerCalls<Tx> {
  /** Returns true for an error of the handler, which is the application's even where this library made it. */
  threw(error: unknown): boolean
  wasAnswered(): boolean
  hasRun(): boolean
}

export function watchCalls<Tx>({ execute, answerEarly }: HandlerCalls<Tx>): WatchedCalls<Tx> {
  let thrown: { readonly error: unknown } | undefined
  let answered = false
  let hasRun = false
  return {
    async execute(attempt, run) {
      hasRun = true
      try {
        const end = await execute(attempt, run)
        thrown = end.kind === 'threw' ? { error: end.error } : undefined
        return end
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
    hasRun: () => hasRun,
  }
}
