/** The methods of a response by which an answer is written. */
import type { ServerResponse } from 'node:http'

/** The methods that a capture puts in the place of those of the response. */
export interface Taken extends Pick<ServerResponse, 'writeHead' | 'write' | 'end' | 'flushHeaders'> {
  isWriting(): boolean
}

/** The capture of each response that was renewed: a handler may have kept the methods of the one before. */
const latest = new WeakMap<ServerResponse, Taken | undefined>()

/** Says that another capture follows on this one. */
export function expectCapture(res: ServerResponse): void {
  latest.set(res, undefined)
}

/** Gives the methods of a later capture, to which the handler still has to write. */
export function laterMethods(res: ServerResponse): Taken | undefined {
  const taken = latest.get(res)
  return taken?.isWriting() ? taken : undefined
}

/** Returns false once a handler has deleted one of those that write, as some do who wrapped it: Node's own come to light then. */
export function hasMethods(res: ServerResponse): boolean {
  return Object.hasOwn(res, 'write') && Object.hasOwn(res, 'end')
}

/**
 * Puts these in the place of its own. Gives the function that gives them back, but for those that somebody has wrapped since: others may
 * keep the response for long, and it then keeps nothing of its capture.
 */
export function takeMethods(res: ServerResponse, taken: Taken): () => void {
  const { writeHead, write, end, flushHeaders } = res
  res.writeHead = taken.writeHead
  res.write = taken.write
  res.end = taken.end
  res.flushHeaders = taken.flushHeaders
  if (latest.has(res)) latest.set(res, taken)
  return () => {
    if (res.writeHead === taken.writeHead) res.writeHead = writeHead
    if (res.write === taken.write) res.write = write
    if (res.end === taken.end) res.end = end
    if (res.flushHeaders === taken.flushHeaders) res.flushHeaders = flushHeaders
  }
}
