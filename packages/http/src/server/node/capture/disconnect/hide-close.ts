/** Hides from `on-finished`, by which senders of files look at a response, that the connection is closed. */
import type { ServerResponse } from 'node:http'

/** The note that `on-finished` leaves on a response: a function that tells all who wait for its end, once. */
interface Awaited {
  __onFinished?: { queue: Listener[] | null } | null
}

type Listener = (error: Error | undefined, res: ServerResponse) => void

/** Hides it from those who wait already, and from those who ask later. Gives the function that tells them. */
export function hideClose(res: ServerResponse): () => void {
  const socket = Object.getOwnPropertyDescriptor(res, 'socket')
  const waiting = takeQueue(res)
  // without a socket, a response passes for one whose turn has not come
  Object.defineProperty(res, 'socket', { configurable: true, enumerable: true, writable: true, value: null })
  return () => {
    // HTTP/2 has no socket of its own
    if (socket) Object.defineProperty(res, 'socket', socket)
    else Reflect.deleteProperty(res, 'socket')
    for (const listener of [...waiting, ...takeQueue(res)]) listener(undefined, res)
  }
}

function takeQueue(res: ServerResponse & Awaited): Listener[] {
  const { __onFinished: note } = res
  const queue = note?.queue ?? []
  if (note) note.queue = null
  return queue
}
