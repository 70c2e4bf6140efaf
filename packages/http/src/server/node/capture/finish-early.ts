/** The events of a response that has left, for a handler that waits for them while a transaction waits for the handler. */
import type { ServerResponse } from 'node:http'

const events = ['finish', 'close'] as const

/** Gives a function that tells listeners added from now on, such as those of `pipeline`, that the response has finished and closed. */
export function finishEarly(res: ServerResponse): () => void {
  const before = new Set(events.flatMap((event) => res.rawListeners(event)))
  return () => {
    for (const event of events) {
      for (const listener of res.rawListeners(event)) {
        if (before.has(listener)) continue
        res.off(event, listener as () => void)
        Reflect.apply(listener, res, [])
      }
    }
  }
}
