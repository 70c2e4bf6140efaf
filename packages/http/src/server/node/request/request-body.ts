/** The body of a Node request, whether or not a parser ran before. */
import type { IncomingMessage } from 'node:http'
import type { Http2ServerRequest } from 'node:http2'
import { IdempotencyInvalidCallError } from '@retryproof/core'
import type { RequestBody } from '../../../protocol/exchange.ts'

const none = new Uint8Array()
const GONE = 'The client went away before it had sent the whole body.'
const readBefore = new WeakMap<IncomingMessage, Uint8Array>()

/**
 * Returns the body of a request. Reads it where nobody has, and leaves it readable for the next reader.
 *
 * @param parsed what a parser left: `request.body`, as Express calls it
 *
 * @example
 * import { createServer } from 'node:http'
 * import { requestBody } from '@retryproof/http/node'
 *
 * createServer(async (req, res) => {
 *   const { body, read } = requestBody(req, undefined)
 *   const bytes = body ?? (await read?.(2 ** 20))
 *   res.end(String(bytes?.length))
 * })
 */
export function requestBody(req: IncomingMessage, parsed: unknown): RequestBody {
  if (!hasBody(req)) return { body: none }
  const read = readBefore.get(req)
  if (read) return { body: read }
  // middleware that listens for the parts of a body takes them away from every later reader
  if (req.readableDidRead || req.listenerCount('data') > 0) return { body: undefined, parsed }
  // a parser may have waited for the end of a body in which nothing came
  if (req.readableEnded || isEmpty(req)) return { body: none }
  return { body: undefined, read: (maxBytes) => readAndPutBack(req, maxBytes) }
}

/**
 * Returns true for a body that was read and put back, and went away with its connection before anybody else had it.
 *
 * @example
 * import { createServer } from 'node:http'
 * import { isBodyLost } from '@retryproof/http/node'
 *
 * createServer((req, res) => {
 *   if (!isBodyLost(req)) res.end('the body is there')
 * })
 */
export function isBodyLost(req: IncomingMessage): boolean {
  return readBefore.has(req) && req.destroyed && !req.readableEnded
}

/**
 * Makes the error of a handler whose body is lost: no refusal to remember, since nobody has looked at what was asked.
 *
 * @example
 * import type { IncomingMessage } from 'node:http'
 * import { isBodyLost, lostBody } from '@retryproof/http/node'
 *
 * function requireBody(req: IncomingMessage): void {
 *   if (isBodyLost(req)) throw lostBody()
 * }
 */
export function lostBody(): Error {
  return new Error(
    'The client went away before its body was parsed. Put the parser before idempotent() to have it first.',
  )
}

/** Begins to watch the body of a request. Gives a function that returns true once it was read, and nobody left it parsed. */
export function watchBody(req: IncomingMessage): () => boolean {
  if (req.readableEnded || !hasBody(req)) return () => false
  const { readableDidRead, readableLength } = req
  const parsed = parsedOf(req)
  // a body that was put back counts as read, and is there as long as its bytes are
  const isRead = () => (readableDidRead ? req.readableLength < readableLength : req.readableDidRead)
  return () => isRead() && parsedOf(req) === parsed
}

function parsedOf(req: IncomingMessage): unknown {
  return (req as { readonly body?: unknown }).body
}

/** Makes the error of a handler that cannot run again, since its stream is empty now. */
export function spentBody(): Error {
  return new IdempotencyInvalidCallError(
    'payload',
    'The handler read the request body itself, and cannot run again after the conflict of its transaction. Put a parser before idempotent(), so that each run finds the body.',
  )
}

/** HTTP/2 needs no header to announce a body. */
function hasBody(req: IncomingMessage): boolean {
  if (req.httpVersionMajor >= 2) return !(streamOf(req)?.endAfterHeaders ?? false)
  return req.headers['transfer-encoding'] !== undefined || Number(req.headers['content-length'] ?? 0) > 0
}

function streamOf(req: IncomingMessage): Http2ServerRequest['stream'] | undefined {
  return (req as unknown as Partial<Http2ServerRequest>).stream
}

/** True once the last byte is there, whether or not anybody has read it. HTTP/2 calls `complete` what was cut, too. */
function isComplete(req: IncomingMessage): boolean {
  const stream = streamOf(req)
  return stream ? stream.readableEnded && !stream.aborted : req.complete
}

/** True once no more of a body can come. */
function isCut(req: IncomingMessage): boolean {
  return req.destroyed || streamOf(req)?.aborted === true
}

/**
 * True for a body that has come to its end without a byte. To read it would take its end from the next reader. An adapter of
 * a cloud function's event calls a request complete whose bytes come when they are asked for.
 */
function isEmpty(req: IncomingMessage): boolean {
  return isComplete(req) && req.readableLength === 0 && !(Number(req.headers['content-length']) > 0)
}

/**
 * Reads all of a body that nobody has read yet; it stays readable for whoever comes after. Null when it is larger.
 *
 * @throws when the client goes away before its end
 */
async function readAndPutBack(req: IncomingMessage, maxBytes: number): Promise<Uint8Array | null> {
  const declared = Number(req.headers['content-length'] ?? Number.NaN)
  if (declared > maxBytes) return null
  // until the parser of HTTP is through with what has arrived, an end that came together with the head
  await new Promise<void>((resolve) => process.nextTick(resolve))
  if (isEmpty(req)) return none
  if (isCut(req)) throw new Error(GONE)
  const encoding = req.readableEncoding
  const chunks: (Uint8Array | string)[] = []
  let size = 0
  return new Promise((resolve, reject) => {
    const onReadable = () => {
      // an empty read would announce the end
      while (req.readableLength > 0) {
        const chunk = req.read() as Buffer | string | null
        if (chunk === null) break
        chunks.push(chunk)
        size += typeof chunk === 'string' ? Buffer.byteLength(chunk, encoding ?? 'utf8') : chunk.length
        if (size > maxBytes) return done(() => resolve(null))
      }
      if (!isComplete(req) && size !== declared) return
      const body = bytesOf(chunks, encoding)
      // before the end is announced, so that the next reader finds the stream as if nobody had been there
      if (size > 0) req.unshift(encoding ? chunks.join('') : body, encoding ?? undefined)
      // an adapter of a cloud function says otherwise of every request that it has handed over
      req.readable = true
      readBefore.set(req, body)
      done(() => resolve(body))
    }
    const onClose = () => done(() => reject(new Error(GONE)))
    const done = (act: () => void) => {
      req.off('readable', onReadable).off('close', onClose).off('error', onClose)
      act()
    }
    req.on('readable', onReadable).on('close', onClose).on('error', onClose)
  })
}

/** Middleware may have set an encoding, in which the stream then gives texts. */
function bytesOf(chunks: readonly (Uint8Array | string)[], encoding: BufferEncoding | null): Uint8Array {
  return Buffer.concat(
    chunks.map((chunk) => (typeof chunk === 'string' ? Buffer.from(chunk, encoding ?? 'utf8') : chunk)),
  )
}
