/**
 * A client that goes away cancels nothing: until the answer has ended, a Node response does not let those see it who
 * would stop writing, so that what was begun is finished and recorded.
 */
import type { ServerResponse } from 'node:http'
import type { Readable } from 'node:stream'

export interface HiddenDisconnect {
  /** The client is not there any more. */
  readonly isGone: boolean
  /** Shows what was hidden. */
  reveal(): void
}

export interface Disconnect {
  /** Whether the answer has not ended yet. */
  isWriting(): boolean
  /** The client went away. */
  onGone(): void
  /** The client went away, and with it the source that was piped into the response. */
  onAbandoned(): void
}

/** What Node sets when the connection is closed, and what `stream.pipeline` looks at. */
export function setClosed(res: ServerResponse, closed: boolean): void {
  Object.assign(res, { destroyed: closed, _closed: closed })
}

export function hideDisconnect(res: ServerResponse, { isWriting, onGone, onAbandoned }: Disconnect): HiddenDisconnect {
  const { emit } = res
  let isGone = false
  let isHidden = false

  function onClose(): boolean {
    isGone = true
    isHidden = isWriting()
    if (!isHidden) return emit.call(res, 'close')
    setClosed(res, false)
    // a writer that waits for the connection to take more goes on
    emit.call(res, 'drain')
    onGone()
    return true
  }

  /** Who sends files listens to the socket itself, and destroys what it reads from. */
  function onPipe(source: Readable): void {
    source.once('close', () => {
      if (isGone && !source.readableEnded && !source.errored && isWriting()) onAbandoned()
    })
  }

  res.emit = (event: string | symbol, ...values: unknown[]): boolean => {
    if (event === 'close') return onClose()
    if (event === 'pipe') onPipe(values[0] as Readable)
    return emit.call(res, event, ...values)
  }

  return {
    get isGone() {
      return isGone
    },
    reveal() {
      if (!isHidden) return
      isHidden = false
      setClosed(res, true)
      emit.call(res, 'close')
    },
  }
}
