/**
 * Holds back what a handler writes to a Node response until it is recorded. While an answer is held, the response looks
 * as if it had been sent (`headersSent`, `writableEnded`), so that whoever writes to it afterwards fails as ever.
 */
import type { ServerResponse } from 'node:http'
import type { HandlerAnswer, HeaderField, HttpResponse } from '../../protocol/exchange.ts'
import { changedHeaders, copyHeaders, restoreHeaders, sendResponse } from './headers.ts'
import { hideDisconnect } from './hide-disconnect.ts'
import {
  applyHeaders,
  type Callback,
  concatenate,
  isChunk,
  isValidHead,
  readHeadArguments,
  readWriteArguments,
  toBytes,
} from './write-arguments.ts'

/** The answer of a handler, on its way out. */
export interface CapturedResponse {
  /** Resolves once the handler has ended its answer; rejects when it destroyed the response instead. */
  readonly answered: Promise<HandlerAnswer>
  /** Lets the handler's answer go, with these headers more where they can still be added. */
  release(headers?: readonly HeaderField[]): void
  /** Drops it and sends this one; cuts the connection where a part of the handler's has left already. */
  replace(response: HttpResponse): void
  /** Drops it and leaves the response as it was before the handler, unless that destroyed it. */
  discard(): 'reset' | 'destroyed'
}

export interface CaptureLimits {
  /** A longer body goes out as it is written. */
  readonly maxResponseBytes: number
  /** Every body does. */
  readonly stream: boolean
  /** No body does, however long. */
  readonly whole?: boolean
  /** Aborts when the handler had all the time that it may take. */
  readonly signal?: AbortSignal
}

/** What Node itself derives `headersSent` and `writableEnded` from. */
interface Sealable {
  _header: string | null
  finished: boolean
}

const streamedTypes = /^(text\/event-stream|application\/x-ndjson)\s*(;|$)/i

export function captureResponse(
  res: ServerResponse,
  { maxResponseBytes, stream, whole = false, signal }: CaptureLimits,
): CapturedResponse {
  const { write, end, writeHead, flushHeaders, destroy } = res
  const sealable = res as unknown as Sealable
  const before = copyHeaders(res)
  /** `passing`: all but the end leaves. `ended`: complete, and waits for its record. `open`: this is out of the way. */
  let phase: 'buffering' | 'passing' | 'ended' | 'open' = 'buffering'
  let head: { readonly status: number; readonly message: string } | undefined
  let hasPassed = false
  let isDestroyed = false
  /** All of the body; of one that passes only the end, without which no client takes it for complete. */
  let held: Uint8Array[] = []
  let size = 0
  let declaredSize = Number.NaN
  let settle: { resolve(answer: HandlerAnswer): void; reject(error: Error): void }
  const answered = new Promise<HandlerAnswer>((resolve, reject) => {
    settle = { resolve, reject }
  })
  const isWriting = () => phase === 'buffering' || phase === 'passing'
  const client = hideDisconnect(res, {
    isWriting,
    onAbandoned: () => finish({ isWhole: false }),
    onGone() {
      if (signal?.aborted) giveUp()
      else signal?.addEventListener('abort', giveUp)
    },
    onDestroyed(error = new Error('The handler destroyed its response before it had ended.')) {
      isDestroyed = true
      fail(error)
    },
  })

  /** Through the property, so that those who wrapped `writeHead` later have their say first. */
  function requireHead(): void {
    if (!head) res.writeHead(res.statusCode)
  }

  function pass(): boolean {
    phase = 'passing'
    hasPassed = true
    sealable._header = null
    writeHead.call(res, res.statusCode)
    declaredSize = Number(res.getHeader('content-length') ?? Number.NaN)
    const begun = concatenate(held)
    held = []
    size = 0
    return begun.length === 0 || forward(begun)
  }

  function forward(bytes: Uint8Array, callback?: Callback): boolean {
    size += bytes.length
    const isEnd = size >= declaredSize
    if (!isEnd && !client.isGone) return write.call(res, bytes, 'utf8', callback)
    if (isEnd) held.push(Uint8Array.from(bytes))
    if (callback) process.nextTick(callback)
    return true
  }

  function hold(bytes: Uint8Array): void {
    held.push(bytes)
    size += bytes.length
  }

  function finish({ isWhole }: { isWhole: boolean }): void {
    phase = 'ended'
    sealable.finished = true
    const status = head?.status ?? res.statusCode
    const replayable = isWhole && !hasPassed && size <= maxResponseBytes
    const hasBody = status !== 204 && status !== 304 && res.req.method !== 'HEAD'
    const body = replayable && hasBody ? concatenate(held) : new Uint8Array()
    settle.resolve({ response: { status, headers: changedHeaders(res, before), body }, replayable })
  }

  /** Nobody is there to read on, and the handler had all the time that it may take. */
  function giveUp(): void {
    if (isWriting()) fail(new Error('The client is gone, and the handler has not ended its answer in time.'))
    client.reveal()
  }

  function fail(error: Error): void {
    phase = 'open'
    settle.reject(error)
  }

  function open(): void {
    phase = 'open'
    sealable.finished = false
    if (!hasPassed) sealable._header = null
  }

  function reset(): void {
    open()
    restoreHeaders(res, before)
    res.statusCode = 200
    res.statusMessage = ''
  }

  res.writeHead = (status: number, ...rest: unknown[]) => {
    const { message = res.statusMessage, headers } = readHeadArguments(rest)
    if (!isWriting() || head || !isValidHead(status, message)) return Reflect.apply(writeHead, res, [status, ...rest])
    applyHeaders(res, headers)
    res.statusCode = status
    res.statusMessage = message
    head = { status, message }
    sealable._header = 'captured'
    if (!whole && (stream || streamedTypes.test(String(res.getHeader('content-type'))))) pass()
    return res
  }

  res.write = (chunk: unknown, ...rest: unknown[]): boolean => {
    if (!isWriting() || !isChunk(chunk)) return Reflect.apply(write, res, [chunk, ...rest])
    const { encoding, callback } = readWriteArguments(rest)
    requireHead()
    const bytes = toBytes(chunk, encoding)
    if (hasPassed) return forward(bytes, callback)
    // the writer is told that it is taken, and may use its buffer again
    hold(typeof chunk === 'string' ? bytes : Uint8Array.from(bytes))
    if (callback) process.nextTick(callback)
    return whole || size <= maxResponseBytes || pass()
  }

  res.end = (...values: unknown[]) => {
    const [chunk, ...rest] = typeof values[0] === 'function' ? [undefined, ...values] : values
    const isFit = chunk === undefined || chunk === null || isChunk(chunk)
    if (!isWriting() || !isFit) return Reflect.apply(end, res, values)
    const { encoding, callback } = readWriteArguments(rest)
    requireHead()
    if (isChunk(chunk)) hold(toBytes(chunk, encoding))
    if (callback) res.once('finish', callback)
    finish({ isWhole: true })
    return res
  }

  res.flushHeaders = () => {
    if (phase === 'buffering') {
      requireHead()
      if (!hasPassed && !whole) pass()
    }
    if (phase !== 'buffering') flushHeaders.call(res)
  }

  return {
    answered,
    release(headers = []) {
      open()
      if (head && !hasPassed) {
        res.statusCode = head.status
        res.statusMessage = head.message
        for (const [name, value] of headers) res.setHeader(name, value)
      }
      Reflect.apply(end, res, held.length > 0 ? [concatenate(held)] : [])
      client.reveal()
    },
    replace(response) {
      if (hasPassed) {
        open()
        destroy.call(res)
      } else {
        reset()
        sendResponse(res, response, end)
      }
      client.reveal()
    },
    discard() {
      if (!hasPassed && !isDestroyed) reset()
      client.reveal()
      return isDestroyed ? 'destroyed' : 'reset'
    },
  }
}
