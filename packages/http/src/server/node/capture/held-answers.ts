/** The answers of a server that are held: a server that closes cuts connections whose answer looks ended, as idle ones. */
import type { IncomingMessage, Server } from 'node:http'

/** The field from which Node derives `writableEnded`, and by which it tells an idle connection. */
interface Held {
  finished: boolean
}

const known = new WeakMap<object, Set<Held>>()

/** Gives the held answers of the server of a request, which keep their connections when it closes. Undefined without a server. */
export function heldAnswers(req: IncomingMessage): Set<Held> | undefined {
  const { server } = (req.socket ?? {}) as { readonly server?: Partial<Server> }
  if (!server) return undefined
  let held = known.get(server)
  if (!held) {
    held = new Set()
    known.set(server, held)
    keepConnections(server, held)
  }
  return held
}

function keepConnections(server: Partial<Server>, held: ReadonlySet<Held>): void {
  const { closeIdleConnections } = server
  if (!closeIdleConnections) return
  const setFinished = (finished: boolean) => {
    for (const answer of held) answer.finished = finished
  }
  // `close` calls it too
  const closeIdleOnly = () => {
    setFinished(false)
    closeIdleConnections.call(server as Server)
    setFinished(true)
  }
  server.closeIdleConnections = closeIdleOnly
}
