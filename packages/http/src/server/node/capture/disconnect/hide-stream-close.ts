/** Hides from a handler of HTTP/2 that its client went away, as `hideDisconnect` does for HTTP/1. */
import type { ServerResponse } from 'node:http'
import type { Http2ServerResponse, ServerHttp2Stream } from 'node:http2'
import type { Disconnect, HiddenDisconnect } from './disconnect.ts'
import { hideClose } from './hide-close.ts'
import { hideGone } from './hide-gone.ts'
import { watchSources } from './watch-sources.ts'

export function hideStreamClose(res: ServerResponse, told: Disconnect): HiddenDisconnect {
  const { stream } = res as unknown as Http2ServerResponse
  const { emit, destroy } = res
  let showGone: (() => void) | undefined
  /** The events that Node emitted when the client went away, to be shown later. */
  let swallowed: string[] = []
  let showClose = () => {}

  const sources = watchSources(res, told, () => hidden.isGone)
  const restore = watchDestruction(stream, sources.onDestroy)

  const watchedDestroy = (error?: Error) => {
    sources.onDestroy(error)
    return told.isHeld() ? res : destroy.call(res, error)
  }
  const watchedEmit = (event: string | symbol, ...values: unknown[]): boolean => {
    if (!told.isWriting() || !stream.destroyed || (event !== 'close' && event !== 'finish')) {
      return emit.call(res, event, ...values)
    }
    swallowed.push(event)
    return true
  }
  res.destroy = watchedDestroy
  res.emit = watchedEmit

  function hideFromRequest(): void {
    if (told.isWriting()) showGone ??= hideGone(res.req)
  }

  function onClose(): void {
    if (!told.isWriting() || hidden.isGone) return
    // one that another guard holds looks ended too, and its stream is aborted
    if (res.writableEnded && !stream.aborted) {
      told.onSent()
      return
    }
    hideFromRequest()
    hidden.isGone = true
    showClose = hideClose(res)
    told.onGone()
    // a writer that waits for the stream to take more goes on
    emit.call(res, 'drain')
  }

  const hidden = {
    isGone: false,
    reveal() {
      stream.off('aborted', hideFromRequest).off('close', onClose)
      showGone?.()
      restore()
      sources.unwatch()
      if (res.destroy === watchedDestroy && !told.isHeld()) res.destroy = destroy
      const events = swallowed
      swallowed = []
      res.emit = emit
      showClose()
      for (const event of events) res.emit(event)
    },
  }

  // HTTP/2 tells an abort before it closes the stream
  stream.prependOnceListener('aborted', hideFromRequest)
  stream.prependOnceListener('close', onClose)
  if (stream.destroyed) queueMicrotask(onClose)

  return hidden
}

/**
 * Calls `onDestroy` where the handler destroys or closes the stream. Node itself destroys only a stream that its client has
 * closed, or one of a session that is over.
 */
function watchDestruction(stream: ServerHttp2Stream, onDestroy: (error: Error | undefined) => void): () => void {
  const { destroy, close } = stream
  const isOver = () => stream.closed || stream.destroyed || (stream.session?.destroyed ?? true)
  const watchedDestroy = (error?: Error) => {
    if (!isOver()) onDestroy(error)
    return destroy.call(stream, error)
  }
  const watchedClose = (code?: number, callback?: () => void) => {
    if (!isOver()) onDestroy(undefined)
    close.call(stream, code, callback)
  }
  stream.destroy = watchedDestroy
  stream.close = watchedClose
  return () => Object.assign(stream, { destroy, close })
}
