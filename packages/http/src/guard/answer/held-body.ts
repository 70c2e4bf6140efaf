/** A body that is made while it is read: held back whole where it may be kept, else passed on all but its end. */

import { sleep } from '@retryproof/core/internal'
import { concatenate } from '../../protocol/bytes.ts'
import { type HeaderField, headerValues } from '../../protocol/exchange.ts'
import { isStreamed } from './media.ts'

/** One or the other. A body that passes has left in part before anybody knows how it ends. */
export type HeldBody = { readonly bytes: Uint8Array; readonly passing?: never } | { readonly passing: PassingBody }

export interface PassingBody {
  /** The pieces for the client. They end when the source has, and `end` or `cut` was called. */
  readonly pieces: AsyncIterableIterator<Uint8Array>
  /** Resolves when the source has ended; rejects when it has failed. */
  readonly ended: Promise<void>
  /** Lets the end go. */
  end(): void
  /** Lets it fail instead, so that nobody takes it for complete. */
  cut(error: Error): void
}

/** The limits of a body that is held back. */
export interface BodyLimits {
  /** The largest body that is held, in bytes. A longer one passes. */
  readonly maxResponseBytes: number
  /** Every body passes. */
  readonly stream: boolean
  /** No body passes, however long. */
  readonly whole: boolean
}

/**
 * Reads a body to its end, or passes it on where it streams or is larger than the limits allow.
 *
 * @param signal aborts when the handler had all the time that it may take: a client that has left is then not a reason
 * to go on reading
 *
 * @example
 * import { holdBody } from '@retryproof/http'
 *
 * async function* body() {
 *   yield new TextEncoder().encode('{"charged":')
 *   yield new TextEncoder().encode('100}')
 * }
 * const limits = { maxResponseBytes: 2 ** 20, stream: false, whole: false }
 * const held = await holdBody(body(), [['Content-Type', 'application/json']], limits, AbortSignal.timeout(5000))
 * if (!held.passing) console.log(held.bytes.length)
 */
export async function holdBody(
  source: AsyncIterator<Uint8Array>,
  headers: readonly HeaderField[],
  { maxResponseBytes, stream, whole }: BodyLimits,
  signal: AbortSignal,
): Promise<HeldBody> {
  const begun: Uint8Array[] = []
  let size = 0
  if (whole || !(stream || isStreamed(headers))) {
    while (whole || size <= maxResponseBytes) {
      const { value, done } = await source.next()
      if (done) return { bytes: concatenate(begun) }
      begun.push(value)
      size += value.length
    }
  }
  const [declared] = headerValues(headers, 'content-length')
  return { passing: passOn(begun, source, Number(declared ?? Number.NaN), signal) }
}

function passOn(
  begun: readonly Uint8Array[],
  source: AsyncIterator<Uint8Array>,
  declaredSize: number,
  signal: AbortSignal,
): PassingBody {
  const { promise: ended, ...over } = outcome()
  const { promise: settled, ...settle } = outcome()

  async function* all(): AsyncGenerator<Uint8Array, undefined> {
    yield* begun
    for (let next = await source.next(); !next.done; next = await source.next()) yield next.value
    return undefined
  }

  /** All but the end, without which no client takes the body for complete. */
  async function* pass(): AsyncGenerator<Uint8Array, undefined> {
    const end: Uint8Array[] = []
    let size = 0
    let isRead = false
    try {
      for await (const piece of all()) {
        size += piece.length
        if (size >= declaredSize) end.push(piece)
        else yield piece
      }
      isRead = true
      over.resolve()
    } catch (error) {
      isRead = true
      over.reject(error as Error)
      await settled
      throw error
    } finally {
      // the client has left
      if (!isRead) void readOn(source, signal).then(over.resolve, over.reject)
    }
    await settled
    yield* end
    return undefined
  }

  const pieces = pass()
  // begun at once, so that a client that never reads leaves as one that does
  let ahead: ReturnType<typeof pieces.next> | undefined = pieces.next()
  ahead.catch(() => undefined)
  return {
    pieces: {
      next() {
        const piece = ahead ?? pieces.next()
        ahead = undefined
        return piece
      },
      return: () => pieces.return(undefined),
      [Symbol.asyncIterator]() {
        return this
      },
    },
    ended,
    end: settle.resolve,
    cut: settle.reject,
  }
}

/** Pieces that are read in one turn of the event loop: a source that never waits leaves the process to others. */
const PIECES_A_TURN = 16

/** Reads to the end what nobody wants any more, so that what is done meanwhile is done. */
async function readOn(source: AsyncIterator<Uint8Array>, signal: AbortSignal): Promise<void> {
  const giveUp = () => void source.return?.()
  if (signal.aborted) giveUp()
  signal.addEventListener('abort', giveUp)
  try {
    for (let read = 1; !(await source.next()).done; read++) if (read % PIECES_A_TURN === 0) await sleep(0)
  } finally {
    signal.removeEventListener('abort', giveUp)
  }
  if (signal.aborted) throw new Error('The client is gone, and the handler has not ended its answer in time.')
}

interface Settling {
  resolve(): void
  reject(error: Error): void
}

/** A promise that may fail without anybody looking. */
function outcome(): Settling & { readonly promise: Promise<void> } {
  let settle: Settling | undefined
  const promise = new Promise<void>((resolve, reject) => {
    settle = { resolve, reject }
  })
  promise.catch(() => undefined)
  return { promise, resolve: () => settle?.resolve(), reject: (error) => settle?.reject(error) }
}
