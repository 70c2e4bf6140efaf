/** Sources that are piped into a response: a sender of files listens to the connection itself, and destroys the file that it reads from. */
import type { ServerResponse } from 'node:http'
import type { Readable } from 'node:stream'
import type { Disconnect } from './disconnect.ts'

export interface WatchedSources {
  /** To be called where the response is destroyed. */
  onDestroy(error: Error | undefined): void
  unwatch(): void
}

/** Watches them. A source that was destroyed since the client had left was abandoned, and has not failed. */
export function watchSources(res: ServerResponse, told: Disconnect, isGone: () => boolean): WatchedSources {
  const sources: Readable[] = []

  function isAbandoned({ destroyed, readableEnded, errored }: Readable): boolean {
    return isGone() && destroyed && !readableEnded && isPrematureEnd(errored)
  }

  function onPipe(source: Readable): void {
    sources.push(source)
    source.once('close', () => {
      if (told.isWriting() && isAbandoned(source)) told.onAbandoned()
    })
  }

  res.on('pipe', onPipe)
  return {
    onDestroy(error) {
      if (!told.isWriting()) return
      if (sources.some(isAbandoned)) told.onAbandoned()
      else told.onDestroyed(error)
    },
    unwatch: () => void res.off('pipe', onPipe),
  }
}

/** Returns true for a stream that was destroyed without an error, or broke since another one before it was. */
function isPrematureEnd(errored: NodeJS.ErrnoException | null): boolean {
  return !errored || errored.code === 'ERR_STREAM_PREMATURE_CLOSE'
}
