/** The pace of a handler whose parts go to nobody, or are held: a fast writer pauses, as it does on a connection. */
import type { ServerResponse } from 'node:http'

const DEFAULT_LIMIT = 16_384

/**
 * Gives what a write of so many bytes returns. After one that returns false, the response emits `drain` in a later turn of
 * the event loop, in which others have theirs.
 */
export function slowDown(res: ServerResponse): (bytes: number) => boolean {
  let limit = 0
  let taken = 0
  function drain(): void {
    taken = 0
    if (!res.writableEnded) res.emit('drain')
  }
  return (bytes) => {
    // asked where somebody writes parts. HTTP/2 does not say
    limit ||= res.writableHighWaterMark || DEFAULT_LIMIT
    if (taken < limit && taken + bytes >= limit) setImmediate(drain)
    taken += bytes
    return taken < limit
  }
}
