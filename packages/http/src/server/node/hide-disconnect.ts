/**
 * A client that goes away cancels nothing: until the answer has ended, a Node response does not let those see it who
 * would stop writing, so that what was begun is finished and recorded.
 */
import type { ServerResponse } from 'node:http'
import type { Readable } from 'node:stream'

export interface HiddenDisconnect {
  /** The client is not there any more. */
  readonly isGone: boolean
  /** Shows what was hidden, and hides nothing more. */
  reveal(): void
}

export interface Disconnect {
  /** Whether the answer has not ended yet. */
  isWriting(): boolean
  /** The client went away. */
  onGone(): void
  /** The client went away, and with it the source that was piped into the response. */
  onAbandoned(): void
  /** The handler destroyed the response. */
  onDestroyed(error: Error | undefined): void
}

/** What Node sets when the connection is closed, and what `stream.pipeline` looks at. */
export function setClosed(res: ServerResponse, closed: boolean): void {
  Object.assign(res, { destroyed: closed, _closed: closed })
}

export function hideDisconnect(res: ServerResponse, told: Disconnect): HiddenDisconnect {
  const { socket } = res.req
  let isGone = false
  let isHidden = false

  /** Before Node itself looks at it. Whatever is destroyed by then was destroyed by the handler. */
  function onSocketClose(): void {
    if (!told.isWriting()) return
    if (res.destroyed) {
      told.onDestroyed(res.errored ?? undefined)
    } else {
      if (res.socket) swallowClose()
      watchWithoutConnection()
      told.onGone()
    }
  }

  /** No connection is left to tell that the response was destroyed. */
  function watchWithoutConnection(): void {
    isGone = true
    const { destroy } = res
    res.destroy = (error?: Error) => {
      if (told.isWriting()) told.onDestroyed(error)
      return destroy.call(res, error)
    }
  }

  function swallowClose(): void {
    const { emit } = res
    res.emit = (event: string | symbol, ...values: unknown[]): boolean => {
      if (event !== 'close') return emit.call(res, event, ...values)
      res.emit = emit
      hide()
      // a writer that waits for the connection to take more goes on
      return emit.call(res, 'drain')
    }
  }

  function hide(): void {
    isHidden = true
    setClosed(res, false)
  }

  /** Who sends files listens to the socket itself, and destroys what it reads from. */
  function onPipe(source: Readable): void {
    source.once('close', () => {
      if (isGone && !source.readableEnded && !source.errored && told.isWriting()) told.onAbandoned()
    })
  }

  res.on('pipe', onPipe)
  socket.prependListener('close', onSocketClose)
  if (res.destroyed) {
    hide()
    watchWithoutConnection()
    queueMicrotask(told.onGone)
  }

  return {
    get isGone() {
      return isGone
    },
    reveal() {
      socket.removeListener('close', onSocketClose)
      if (!isHidden) return
      isHidden = false
      setClosed(res, true)
      res.emit('close')
    },
  }
}
