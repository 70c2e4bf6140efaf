/** Answers that somebody outside gives while the handlers behind a guard are at work, such as a time-out. */
import type { Context } from 'hono'
import type { MadeResponse } from './made-bodies.ts'

const WATCHED = Symbol('retryproof.watched')

/** The watch over the responses that a context is given. */
interface Watch {
  readonly made: MadeResponse
  get(this: Context): Response
  set(this: Context, response: Response | undefined): void
  refusal: { readonly error: unknown; readonly made: Response | undefined; isTaken: boolean } | undefined
}

type Watched = Context & { [WATCHED]: Watch }

/** One pair for all contexts: V8 makes a dictionary of an object that has accessors of its own. */
const RES = {
  configurable: true,
  get(this: Watched): Response {
    const { [WATCHED]: watch } = this
    if (watch.refusal) watch.refusal.isTaken = true
    return watch.get.call(this)
  },
  set(this: Watched, response: Response | undefined): void {
    const { [WATCHED]: watch, error } = this
    watch.set.call(this, response)
    const isRefusal = response !== undefined && response.status >= 400
    watch.refusal = isRefusal ? { error, made: watch.made.response, isTaken: false } : undefined
  },
}

/**
 * Watches the responses that a context is given, until the function that it gives is called. That gives the answer that the
 * handlers made after one from outside, which Hono drops: after a refusal that the application has taken.
 */
export function watchAnswers(c: Context, made: MadeResponse): () => Response | undefined {
  const { get, set } = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(c), 'res') ?? {}
  if (!get || !set) return () => undefined
  const watch: Watch = { made, get, set, refusal: undefined }
  Object.defineProperty(Object.assign(c, { [WATCHED]: watch }), 'res', RES)
  return () => {
    Reflect.deleteProperty(c, 'res')
    const { refusal } = watch
    const isOutside = refusal?.isTaken && refusal.error === c.error && refusal.made !== made.response
    return isOutside ? made.response : undefined
  }
}
