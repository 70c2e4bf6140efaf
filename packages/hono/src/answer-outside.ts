/** Answers that somebody outside gives while the handlers behind a guard are at work, such as a time-out. */
import type { Context } from 'hono'
import type { MadeResponse } from './made-bodies.ts'

/**
 * Watches the responses that a context is given, until the function that it gives is called. That gives the answer that the
 * handlers made after one from outside, which Hono drops: after a refusal that the application has taken.
 */
export function watchAnswers(c: Context, made: MadeResponse): () => Response | undefined {
  const { get, set } = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(c), 'res') ?? {}
  if (!get || !set) return () => undefined
  let refusal: { readonly error: unknown; readonly made: Response | undefined; isTaken: boolean } | undefined
  Object.defineProperty(c, 'res', {
    configurable: true,
    get() {
      if (refusal) refusal.isTaken = true
      return get.call(c) as Response
    },
    set(response: Response | undefined) {
      set.call(c, response)
      refusal = response && response.status >= 400 ? { error: c.error, made: made.response, isTaken: false } : undefined
    },
  })
  return () => {
    Reflect.deleteProperty(c, 'res')
    const isOutside = refusal?.isTaken && refusal.error === c.error && refusal.made !== made.response
    return isOutside ? made.response : undefined
  }
}
