/** Hides from those who ask a request that its client is gone: Fastify answers nothing then for a handler that returns nothing. */
import type { IncomingMessage } from 'node:http'
import { viewOf } from './own-socket.ts'

/** Shadows `aborted` of the request, and `destroyed` of its socket. Gives the function that shows them. */
export function hideGone(req: IncomingMessage): () => void {
  const { socket } = req
  const { socket: ownSocket, aborted: own } = Object.getOwnPropertyDescriptors(req) as PropertyDescriptorMap
  let aborted = req.aborted
  const view = viewOf(socket, { destroyed: false })
  Object.defineProperties(req, {
    socket: { configurable: true, enumerable: true, writable: true, value: view },
    aborted: {
      configurable: true,
      enumerable: true,
      get: () => false,
      // Node notes it here once those have been told who listen to the connection
      set(value: boolean) {
        aborted = value
      },
    },
  })
  return () => {
    if (req.socket === view) restore(req, 'socket', ownSocket)
    restore(req, 'aborted', own && { ...own, value: aborted })
  }
}

/** HTTP/2 has both on the prototype. */
function restore(req: IncomingMessage, name: string, own: PropertyDescriptor | undefined): void {
  if (own) Object.defineProperty(req, name, own)
  else Reflect.deleteProperty(req, name)
}
