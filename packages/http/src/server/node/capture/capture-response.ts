/**
 * Holds an answer back that a handler writes to a Node response, of HTTP/1 or HTTP/2, until it is recorded. While it is
 * held, the response looks as if it had been sent (`headersSent`, `writableEnded`), so that later writes fail as ever.
 */
import type { ServerResponse } from 'node:http'
import { isStreamed } from '../../../guard/answer/media.ts'
import type { HeaderField } from '../../../protocol/exchange.ts'
import { copyHeaders, restoreHeaders, sendResponse } from '../headers.ts'
import type { CapturedResponse, CaptureLimits } from './captured-response.ts'
import { hideDisconnect, whenAborted } from './disconnect/hide-disconnect.ts'
import { hideStreamClose } from './disconnect/hide-stream-close.ts'
import { finishEarly } from './finish-early.ts'
import { pendingAnswer, refuseLate } from './late-writes.ts'
import { recordedResponse } from './recorded-response.ts'
import { renewOnceSent } from './renew-response.ts'
import { isHttp2, refuseChange, sealOf } from './response-seal.ts'
import { slowDown } from './slow-down.ts'
import { hasMethods, laterMethods, takeMethods } from './take-methods.ts'
import {
  applyHeaders,
  type Callback,
  concatenate,
  type GivenHead,
  isChunk,
  type PlainHeaders,
  readHead,
  readWriteArguments,
  requireDeclaredLength,
  setStatus,
  takeHeaders,
  toBytes,
} from './write-arguments.ts'

/**
 * Holds back the answer that a handler writes to a response, until it is released.
 *
 * @example
 * import { createServer } from 'node:http'
 * import { captureResponse } from '@retryproof/http/node'
 *
 * createServer(async (_req, res) => {
 *   const captured = captureResponse(res, { maxResponseBytes: 2 ** 20, stream: false, whole: false })
 *   res.end('charged')
 *   const { response } = await captured.answered
 *   console.log(`record ${response.body.length} bytes, then let them go`)
 *   captured.release()
 * })
 */
export function captureResponse(res: ServerResponse, limits: CaptureLimits): CapturedResponse {
  const { maxResponseBytes, stream, whole, onCut, isOuterTimer } = limits
  const { write, end, writeHead, flushHeaders, destroy } = res
  const seal = sealOf(res)
  const takesMore = slowDown(res)
  const hasMessage = !isHttp2(res)
  const before = copyHeaders(res)
  const tellFinish = whole ? finishEarly(res) : undefined
  /** `passing`: all but the end leaves. `ended`: complete, and waits for its record. `open`: nothing is held any more. */
  let phase: 'buffering' | 'passing' | 'ended' | 'open' = 'buffering'
  let head: GivenHead | undefined
  /** The headers of a head that leaves as the handler gave it: none of them is set on the response before. */
  let given: PlainHeaders | undefined
  /** The handler wrote its head or a part before the end: then Node sends a body without a length in chunks. */
  let isInPieces = false
  let isDestroyed = false
  /** Node has sent the answer to its end: the handler had deleted our methods. */
  let hasLeft = false
  let isCut = false
  /** All of the body; of one that passes only the end, without which no client takes it for complete. */
  let held: Uint8Array[] = []
  let size = 0
  let declaredSize = Number.NaN
  const { answered, settle, isPast } = pendingAnswer()
  const isWriting = () => phase === 'buffering' || phase === 'passing'
  const later = () => (phase === 'open' ? laterMethods(res) : undefined)
  const isLate = () => phase === 'ended' && isPast()
  const client = (hasMessage ? hideDisconnect : hideStreamClose)(res, {
    isWriting,
    isHeld: () => phase === 'ended',
    onSent,
    onCut() {
      isCut = true
      onCut?.()
    },
    onAbandoned: () => finish(false),
    onGone() {
      // left to its lease: to release the key would say that nothing is unknown
      if (!isCut) whenAborted(limits.attempt?.signal, giveUp)
    },
    onDestroyed(error = new Error('The handler destroyed its response before it had ended.')) {
      isDestroyed = true
      fail(error)
    },
  })

  /** Through the property, so that those who wrapped `writeHead` later have their say first. */
  function requireHead(): void {
    if (head) return
    res.writeHead(res.statusCode)
    isInPieces = false
  }

  function pass(): boolean {
    phase = 'passing'
    captured.hasPassed = true
    seal.setHeadSent(false)
    applyHeaders(res, given)
    given = undefined
    // a status that is set after the head was written comes too late
    if (head) setStatus(res, head.status, head.reason)
    writeHead.call(res, res.statusCode)
    if (hasMethods(res)) declaredSize = Number(res.getHeader('content-length') ?? Number.NaN)
    else res.once('finish', onSent)
    const begun = concatenate(held)
    held = []
    size = 0
    return begun.length === 0 || forward(begun)
  }

  function forward(bytes: Uint8Array, callback?: Callback): boolean {
    size += bytes.length
    const isEnd = size >= declaredSize
    if (!isEnd && !client.isGone) return write.call(res, bytes, 'utf8', callback)
    if (isEnd) held.push(Buffer.from(bytes))
    if (callback) process.nextTick(callback)
    return takesMore(bytes.length)
  }

  /** Copies bytes: the writer may use its buffer again at once. Those who wrap `write` and `end` outside expect a Buffer. */
  function hold(chunk: string | Uint8Array, encoding: BufferEncoding | undefined): number {
    const bytes = Buffer.from(chunk as string, encoding)
    held.push(bytes)
    size += bytes.length
    return bytes.length
  }

  function finish(isWhole: boolean, isSent = false): void {
    phase = 'ended'
    if (isSent) captured.hasPassed = hasLeft = true
    captured.isEnded = true
    captured.isTimedOut = isOuterTimer?.() ?? false
    if (!hasLeft) seal.setEnded(true)
    if (tellFinish) process.nextTick(tellFinish)
    const replayable = isWhole && !captured.hasPassed && size <= maxResponseBytes
    const status = head?.status ?? res.statusCode
    settle.resolve({ response: recordedResponse(res, status, given, before, replayable ? held : []), replayable })
  }

  function onSent(): void {
    if (isWriting()) finish(false, true)
  }

  /** Nobody is there to read on, and the handler had all the time that it may take. */
  function giveUp(): void {
    fail(new Error('The client is gone, and the handler has not ended its answer in time.'))
    client.reveal()
  }

  function fail(error: unknown): void {
    if (!isWriting()) return
    phase = 'open'
    settle.reject(error)
  }

  function open(): void {
    phase = 'open'
    captured.isEnded = false
    if (!hasLeft) seal.setEnded(false)
    if (!captured.hasPassed) seal.setHeadSent(false)
    giveBack()
  }

  function reset(): void {
    open()
    given = undefined
    restoreHeaders(res, before)
    setStatus(res, 200, '')
  }

  function cut(): void {
    open()
    isDestroyed = true
    destroy.call(res)
  }

  function captureHead(code: number, ...rest: unknown[]): ServerResponse {
    if (!hasMessage && head && phase !== 'open') refuseChange()
    const written = readHead(res, code, rest)
    if (!isWriting() || head || !written) return Reflect.apply(later()?.writeHead ?? writeHead, res, [code, ...rest])
    // before the headers, as Node does: one that is refused leaves the status behind
    if (hasMessage) setStatus(res, written.status, written.message)
    given = takeHeaders(res, written.headers, before)
    setStatus(res, written.status, written.message)
    head = written
    isInPieces = true
    seal.setHeadSent(true)
    const type = String(given ? given['content-type'] : res.getHeader('content-type'))
    if (!hasMethods(res) || (!whole && (stream || isStreamed([['content-type', type]])))) pass()
    return res
  }

  function captureWrite(chunk: unknown, ...rest: unknown[]): boolean {
    if (isLate() && isChunk(chunk)) return refuseLate(rest)
    if (!isWriting() || !isChunk(chunk)) return Reflect.apply(later()?.write ?? write, res, [chunk, ...rest])
    const { encoding, callback } = readWriteArguments(rest)
    requireHead()
    isInPieces = true
    if (captured.hasPassed) return forward(toBytes(chunk, encoding), callback)
    const length = hold(chunk, encoding)
    if (callback) process.nextTick(callback)
    return whole || size <= maxResponseBytes ? takesMore(length) : pass()
  }

  function captureEnd(...values: unknown[]): ServerResponse {
    const [chunk, ...rest] = typeof values[0] === 'function' ? [undefined, ...values] : values
    const isFit = chunk === undefined || chunk === null || isChunk(chunk)
    if (isLate() && isChunk(chunk) && !refuseLate(rest)) return res
    if (!isWriting() || !isFit) return Reflect.apply(later()?.end ?? end, res, values)
    const { encoding, callback } = readWriteArguments(rest)
    requireHead()
    if (isChunk(chunk)) hold(chunk, encoding)
    if (res.strictContentLength) requireDeclaredLength(res, size)
    if (callback) res.once('finish', callback)
    finish(true)
    return res
  }

  function captureFlush(): void {
    if (phase === 'buffering') {
      requireHead()
      isInPieces = true
      if (!captured.hasPassed && !whole) pass()
    }
    // the head of a complete answer waits for its record
    if (phase === 'passing' || phase === 'open') Reflect.apply(later()?.flushHeaders ?? flushHeaders, res, [])
  }

  const taken = { isWriting, writeHead: captureHead, write: captureWrite, end: captureEnd, flushHeaders: captureFlush }
  const giveBack = takeMethods(res, taken)

  function release(headers: readonly HeaderField[] = []): void {
    open()
    if (hasLeft) return void client.reveal()
    if (head && !captured.hasPassed) {
      setStatus(res, head.status, head.reason)
      for (const [name, value] of headers) res.setHeader(name, value)
    }
    const rest = held.length > 0 ? [concatenate(held)] : []
    // a head that Node made at the end has headers that are set
    if (!isInPieces) applyHeaders(res, given)
    // `end` alone declares a length, which an answer in pieces has not
    const isChunked = isInPieces && !captured.hasPassed && !given && !res.hasHeader('content-length')
    if (isChunked) write.call(res, concatenate(rest.splice(0)), 'utf8', undefined)
    try {
      if (isInPieces && given) writeHead.call(res, res.statusCode, given)
      Reflect.apply(end, res, rest)
    } catch {
      // a listener threw: the answer is recorded, and no error path may give another
      if (!res.writableEnded) cut()
    }
    client.reveal()
  }

  // without getters: an object that is written with one takes a microsecond to make
  const captured: { -readonly [Name in keyof CapturedResponse]: CapturedResponse[Name] } = {
    answered,
    hasPassed: false,
    isEnded: false,
    isTimedOut: false,
    fail,
    abandon(error) {
      if (phase === 'buffering' && head) pass()
      // what the handler set stays
      captured.hasPassed = true
      fail(error)
    },
    // a pipe listens for its end
    isBegun: () => head !== undefined || phase === 'ended' || res.listenerCount('unpipe') > 0,
    release,
    renew(work) {
      release()
      return renewOnceSent(res, before, work)
    },
    letThrough(headers) {
      open()
      for (const [name, value] of headers) res.setHeader(name, value)
      client.reveal()
    },
    replace(response) {
      if (captured.hasPassed) cut()
      else {
        reset()
        sendResponse(res, response, end)
      }
      client.reveal()
    },
    letGo: client.reveal,
    discard() {
      if (!captured.hasPassed && !isDestroyed) reset()
      else if (phase === 'ended' && !isDestroyed) cut()
      client.reveal()
      return isDestroyed ? 'destroyed' : 'reset'
    },
  }
  return captured
}
