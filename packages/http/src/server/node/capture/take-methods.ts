/** The methods of a response by which an answer is written. */
import type { ServerResponse } from 'node:http'

/**
 * Puts these in the place of its own. Gives the function that gives them back, but for those that somebody has wrapped since: others may
 * keep the response for long, and it then keeps nothing of its capture.
 */
export function takeMethods(
  res: ServerResponse,
  takenHead: ServerResponse['writeHead'],
  takenWrite: ServerResponse['write'],
  takenEnd: ServerResponse['end'],
  takenFlush: ServerResponse['flushHeaders'],
): () => void {
  const { writeHead, write, end, flushHeaders } = res
  res.writeHead = takenHead
  res.write = takenWrite
  res.end = takenEnd
  res.flushHeaders = takenFlush
  return () => {
    if (res.writeHead === takenHead) res.writeHead = writeHead
    if (res.write === takenWrite) res.write = write
    if (res.end === takenEnd) res.end = end
    if (res.flushHeaders === takenFlush) res.flushHeaders = flushHeaders
  }
}
