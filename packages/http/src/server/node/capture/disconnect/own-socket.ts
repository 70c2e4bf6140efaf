/** A socket of a request's own: destroying it says that the handler destroys its answer, and not that a connection failed. */
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'

/**
 * Gives the request a view of its socket, whose `destroy` calls `onDestroy` instead. Everything else reaches the socket.
 * Gives the function that takes the view away.
 */
export function ownSocket(
  req: IncomingMessage,
  socket: Socket,
  onDestroy: (error: Error | undefined) => void,
): () => void {
  const view: Socket = viewOf(socket, {
    destroy(error?: Error) {
      onDestroy(error)
      return view
    },
  })
  setSocket(req, view)
  return () => {
    if (req.socket === view) setSocket(req, socket)
  }
}

/** Gives a view of a socket with members of its own. Everything else reaches the socket. */
export function viewOf(socket: Socket, own: Readonly<Record<PropertyKey, unknown>>): Socket {
  return new Proxy(socket, {
    get(target, name) {
      if (Object.hasOwn(own, name)) return own[name]
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
    set: (target, name, value) => Reflect.set(target, name, value, target),
  })
}

function setSocket(req: IncomingMessage, socket: Socket): void {
  try {
    req.socket = socket
    if (req.socket === socket) return
  } catch {
    // HTTP/2 has none to set
  }
  Object.defineProperty(req, 'socket', { configurable: true, enumerable: true, writable: true, value: socket })
}
