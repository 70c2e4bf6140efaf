/** The answers of a server that are held: a server that closes cuts connections whose answer looks ended, as idle ones. */
import type { IncomingMessage, Server } from 'node:http'

/** The field from which Node derives `writableEnded`, and by which it tells an idle connection. */
interface Answer {
  finished: boolean
}

interface HeldAnswer {
  readonly answer: Answer
  /** Its place among those that are held. */
  place: number
}

/** No set: V8 links the table of a set to the one that replaces it, and old tables then keep young answers alive. */
const known = new WeakMap<object, HeldAnswer[]>()

/**
 * Gives a function that says whether an answer is held. One that is keeps its connection when the server of its request closes.
 * Undefined without a server.
 */
export function holdable(answer: Answer, req: IncomingMessage): ((isHeld: boolean) => void) | undefined {
  const { server } = (req.socket ?? {}) as { readonly server?: Partial<Server> }
  if (!server) return undefined
  const all = known.get(server) ?? keepConnections(server)
  const held: HeldAnswer = { answer, place: 0 }
  return (isHeld) => {
    if ((all[held.place] === held) === isHeld) return
    if (isHeld) held.place = all.push(held) - 1
    else remove(all, held)
  }
}

function remove(all: HeldAnswer[], held: HeldAnswer): void {
  const last = all.pop()
  if (!last || last === held) return
  all[held.place] = last
  last.place = held.place
}

function keepConnections(server: Partial<Server>): HeldAnswer[] {
  const held: HeldAnswer[] = []
  known.set(server, held)
  const { closeIdleConnections } = server
  if (!closeIdleConnections) return held
  const setFinished = (finished: boolean) => {
    for (const { answer } of held) answer.finished = finished
  }
  // `close` calls it too
  const closeIdleOnly = () => {
    setFinished(false)
    closeIdleConnections.call(server as Server)
    setFinished(true)
  }
  server.closeIdleConnections = closeIdleOnly
  return held
}
