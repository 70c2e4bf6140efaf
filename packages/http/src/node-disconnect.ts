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
  /** Whether anybody is still writing, and whether what they write leaves at once. */
  phase(): 'buffering' | 'passing' | 'over'
  /** The client went away, and with it the source that was piped into the response. */
  onAbandoned(): void
}

/** What Node sets when the connection is closed, and what `stream.pipeline` looks at. */
export function setClosed(res: ServerResponse, closed: boolean): void {
  Object.assign(res, { destroyed: closed, _closed: closed })
}

export function hideDisconnect(res: ServerResponse, { phase, onAbandoned }: Disconnect): HiddenDisconnect {
  const { emit } = res
  let isGone = false
  let isHidden = false
  let pipes = 0

  function onClose(): boolean {
    isGone = true
    const now = phase()
    isHidden = now === 'buffering' || (now === 'passing' && pipes > 0)
    if (isHidden) setClosed(res, false)
    else emit.call(res, 'close')
    // a writer that waits for the connection to take more goes on
    if (now === 'passing') emit.call(res, 'drain')
    return true
  }

  function onPipe(source: Readable): void {
    pipes++
    source.once('close', () => {
      const broke = !source.readableEnded && !source.errored
      if (isGone && broke && phase() !== 'over') onAbandoned()
    })
  }

  res.emit = (event: string | symbol, ...values: unknown[]): boolean => {
    if (event === 'close') return onClose()
    if (event === 'pipe') onPipe(values[0] as Readable)
    if (event === 'unpipe') pipes--
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
