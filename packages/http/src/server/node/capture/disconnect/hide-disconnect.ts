/**
 * Hides from a handler that its client went away: until the answer has ended, a Node response does not let those see it
 * who would stop writing, so that the work is finished and recorded.
 */
import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Disconnect, HiddenDisconnect } from './disconnect.ts'
import { hideClose } from './hide-close.ts'
import { hideGone } from './hide-gone.ts'
import { ownSocket } from './own-socket.ts'
import { watchSources } from './watch-sources.ts'

/** Sets the fields that Node sets when the connection is closed, and that `stream.pipeline` looks at. */
export function setClosed(res: ServerResponse, closed: boolean): void {
  Object.assign(res, { destroyed: closed, _closed: closed })
}

const detached = new WeakSet<ServerResponse>()

/** Notes that an answer has left: the connection serves other requests, and no failure closes it. */
export function detach(res: ServerResponse): void {
  detached.add(res)
  const open = () => setClosed(res, false)
  open()
  // Node closes it once the answer is on its way
  res.prependOnceListener('close', open)
}

/** Returns true for a response whose answer has left. */
export function isDetached(res: ServerResponse): boolean {
  return detached.has(res)
}

export function hideDisconnect(res: ServerResponse, told: Disconnect): HiddenDisconnect {
  const { req } = res
  const socket = socketOf(req)
  const hasLeft = isDetached(res)
  let isHidden = false
  let showClose = () => {}
  let showGone = () => {}

  const sources = watchSources(res, told, () => hidden.isGone)
  const { destroy } = res
  const watchedDestroy = (error?: Error) => {
    sources.onDestroy(error)
    return told.isHeld() ? res : destroy.call(res, error)
  }
  res.destroy = watchedDestroy

  const giveBackSocket = socket
    ? ownSocket(req, socket, (error) => {
        if (told.isWriting()) told.onDestroyed(error)
        if (!hasLeft) socket.destroy(error)
      })
    : () => {}

  /** Runs before Node itself looks at the response. One that is destroyed by then was sent, or destroyed by the handler. */
  function onSocketClose(): void {
    if (!told.isWriting()) return
    if (res.destroyed) {
      if (res.writableEnded) told.onSent()
      else told.onDestroyed(res.errored ?? undefined)
      return
    }
    if (res.socket) {
      swallowClose()
      showClose = hideClose(res)
    }
    showGone = hideGone(req)
    hidden.isGone = true
    if (!hasLeft && socket && isCutByServer(socket)) told.onCut()
    told.onGone()
  }

  function swallowClose(): void {
    const { emit } = res
    const swallow = (event: string | symbol, ...values: unknown[]): boolean => {
      if (event !== 'close') return emit.call(res, event, ...values)
      res.emit = emit
      hide()
      // a writer that waits for the connection to take more goes on
      return emit.call(res, 'drain')
    }
    res.emit = swallow
  }

  function hide(): void {
    isHidden = true
    setClosed(res, false)
  }

  const hidden = {
    isGone: false,
    reveal() {
      unwatch()
      showGone()
      giveBackSocket()
      // others may keep the response, which then keeps nothing of its capture
      sources.unwatch()
      if (res.destroy === watchedDestroy && !told.isHeld()) res.destroy = destroy
      if (!isHidden) return
      isHidden = false
      setClosed(res, true)
      showClose()
      res.emit('close')
    },
  }

  const unwatch = socket ? whenClosed(socket, onSocketClose) : () => {}
  if (res.destroyed) {
    hide()
    showClose = hideClose(res)
    if (socket) showGone = hideGone(req)
    hidden.isGone = true
    queueMicrotask(told.onGone)
  }

  return hidden
}

/** Gives no socket for a request that an adapter made of a cloud function's event: it has none, or something that never closes. */
function socketOf({ socket }: { readonly socket?: Partial<Socket> }): Socket | undefined {
  return typeof socket?.prependListener === 'function' ? (socket as Socket) : undefined
}

/** Returns true for a connection that ended neither by its client nor by a failure. */
function isCutByServer({ readableEnded, errored }: Socket): boolean {
  return !readableEnded && !errored
}

const closings = new WeakMap<Socket, (() => void)[]>()

/** Calls `onClose` before other listeners. One listener serves all requests of a connection, however many are pipelined. */
function whenClosed(socket: Socket, onClose: () => void): () => void {
  const listeners = closings.get(socket) ?? listenersOf(socket)
  listeners.push(onClose)
  return () => {
    const at = listeners.indexOf(onClose)
    if (at >= 0) listeners.splice(at, 1)
  }
}

/** Apart from `whenClosed`, so that the listener of a connection does not keep its first request as long as it lives. */
function listenersOf(socket: Socket): (() => void)[] {
  const listeners: (() => void)[] = []
  closings.set(socket, listeners)
  socket.prependListener('close', () => {
    for (const listener of [...listeners]) listener()
  })
  return listeners
}

/** Calls it at once where the signal has aborted already. */
export function whenAborted(signal: AbortSignal | undefined, act: () => void): void {
  if (signal?.aborted) act()
  else signal?.addEventListener('abort', act)
}
