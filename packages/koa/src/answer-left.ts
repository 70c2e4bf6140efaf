/** The answer that a handler leaves in its context, for Koa to write. */
import { Readable, Stream } from 'node:stream'
import { isPlain } from '@retryproof/core/internal'
import {
  type AnswerForm,
  type BodyLimits,
  changedFields,
  type HandlerAnswer,
  type HeaderField,
  holdBody,
  type PassingBody,
  removedFields,
} from '@retryproof/http'
import { iterable } from '@retryproof/http/node'
import type { Context } from 'koa'
import { headersOf, isEmpty, textOf, textType } from './context-response.ts'

const none = new Uint8Array()

/** A handler that is running. */
export interface Running {
  readonly limits: BodyLimits
  /** Its signal is made when it is asked for. */
  readonly attempt: { readonly signal: AbortSignal }
}

/**
 * Gives the answer that a handler left in its context. Undefined where Node's response has it: the handler wrote there, or
 * Koa is to write a body that is too long to be held, or fails to.
 */
export async function answerLeft(
  ctx: Context,
  before: readonly HeaderField[],
  { limits, attempt }: Running,
): Promise<HandlerAnswer | undefined> {
  if (ctx.respond === false || ctx.headerSent) return undefined
  const left = await bytesLeft(ctx, limits, attempt)
  if (!left) return undefined
  const isMissing = left === missing
  const body = isMissing ? Buffer.from(textOf(ctx)) : left
  const set = headersOf(ctx)
  // Koa drops the type of an answer without a body
  const kept = isMissing || isEmpty(ctx.status) ? set.filter(([name]) => name.toLowerCase() !== 'content-type') : set
  const fields = isMissing ? [...kept, textType] : kept
  const headers = changedFields(fields, before)
  const isHeld = !limits.stream && body.length <= limits.maxResponseBytes
  return {
    response: {
      status: ctx.status,
      headers,
      form: formOf(ctx),
      body: isHeld && ctx.method !== 'HEAD' ? body : none,
      ...removedFields(
        set.map(([name]) => name),
        before,
      ),
    },
    replayable: isHeld,
  }
}

/** Calls a value what Koa writes as JSON. */
function formOf({ body }: Context): AnswerForm {
  if (typeof body === 'string') return 'text'
  if (typeof body !== 'object') return body === undefined ? 'bytes' : 'value'
  return body !== null && (Array.isArray(body) || isPlain(body)) ? 'value' : 'bytes'
}

async function bytesLeft(
  ctx: Context,
  limits: BodyLimits,
  attempt: Running['attempt'],
): Promise<Uint8Array | undefined> {
  const source = sourceOf(ctx)
  if (!source) return bytesOf(ctx)
  try {
    const held = await holdBody(source, headersOf(ctx), limits, attempt.signal)
    if (!held.passing) {
      putBack(ctx, held.bytes)
      return held.bytes
    }
    // its end is held back where it leaves
    held.passing.end()
    ctx.body = streamOf(held.passing)
  } catch (error) {
    // Koa 2 has answered a stream that failed
    if (!ctx.res.writableEnded) throw error
  }
  return undefined
}

/** Puts a body in place of one that was read: a stream again, which has no length but that which the handler declared. */
function putBack(ctx: Context, bytes: Uint8Array): void {
  const body = Buffer.from(bytes)
  const declared = ctx.response.get('Content-Length')
  // bytes leave the header of their length in its place
  if (ctx.body instanceof Blob || String(declared) === String(body.length)) {
    ctx.body = body
    return
  }
  // Koa removes the length of a body that it sees replaced, and Node then sends an empty one in chunks
  Object.assign(ctx.response, { _body: undefined })
  ctx.body = Readable.from(body.length > 0 ? [body] : [], { objectMode: false })
}

/** A stream is closed once its source has ended, which goes on for a client that has left. */
function streamOf({ pieces, ended }: PassingBody): Readable {
  const stream = Readable.from(pieces)
  const { _destroy: destroy } = stream
  const destroyOnceEnded: typeof destroy = (error, done) => {
    destroy.call(stream, error, () => void ended.then(() => done(error), done))
  }
  stream._destroy = destroyOnceEnded
  return stream
}

/** Gives the pieces of a body that has to be read to be known. */
function sourceOf(ctx: Context): AsyncIterator<Uint8Array> | undefined {
  const body: unknown = ctx.body
  if (body instanceof Stream || isTakenForStream(ctx)) return piecesOf(body as Readable)
  if (!knowsFetchBodies(ctx)) return undefined
  if (body instanceof Blob) return piecesOf(body.stream())
  if (body instanceof Response) return body.body ? piecesOf(body.body) : undefined
  return body instanceof ReadableStream ? piecesOf(body) : undefined
}

/** Recognizes Koa 3. Koa 2, which has no `back`, writes a Blob, a Response and a ReadableStream as JSON. */
function knowsFetchBodies(ctx: Context): boolean {
  return 'back' in ctx
}

/** Recognizes streams of readable-stream@4, which are none of Node's: Koa 3 pipes them, and Koa 2 writes them as JSON. */
function isTakenForStream({ body, response }: Context): boolean {
  if (typeof (body as Partial<Readable> | null | undefined)?.pipe !== 'function') return false
  try {
    return response.length === undefined
  } catch {
    return false
  }
}

async function* piecesOf(source: Readable | ReadableStream): AsyncGenerator<Uint8Array, undefined> {
  const letGo = 'pipe' in source ? keepOpen(source) : () => {}
  try {
    // the types of browsers do not say that a ReadableStream is iterable
    const pieces = 'pipe' in source ? iterable(source) : (source as ReadableStream & AsyncIterable<Uint8Array>)
    for await (const piece of pieces) {
      yield typeof piece === 'string' ? Buffer.from(piece) : piece
    }
    return undefined
  } finally {
    letGo()
  }
}

/** Keeps a stream open that Koa closes when its client leaves. It can still fail. Gives the function that ends that. */
function keepOpen(stream: Readable): () => void {
  const { destroy } = stream as Partial<Readable>
  // a stream of Node's first kind may have none
  if (!destroy) return () => {}
  const destroyIfFailed = (error?: Error) => (error || stream.readableEnded ? destroy.call(stream, error) : stream)
  stream.destroy = destroyIfFailed
  return () => {
    stream.destroy = destroy
    stream.destroy()
  }
}

/** Gives the bytes as Koa will write them; undefined for a value that is no JSON, or that Koa may take for a stream. */
function bytesOf(ctx: Context): Uint8Array | undefined {
  const { body, status } = ctx
  if (body === undefined || body === null) return isEmpty(status) || isExplicitlyNull(ctx) ? none : missing
  if (body instanceof Response && knowsFetchBodies(ctx)) return none
  if (typeof body === 'string' || Buffer.isBuffer(body)) return Buffer.from(body)
  // Koa 3 recognizes streams of readable-stream@4, which are none of Node's
  if (typeof (body as Partial<Readable>).pipe === 'function') return undefined
  try {
    return Buffer.from(JSON.stringify(body))
  } catch {
    return undefined
  }
}

/** Stands for a body that the handler did not set, for which Koa writes a text. */
const missing = new Uint8Array()

/** Koa notes that a body was set to null, and shows that in no other way. */
function isExplicitlyNull({ response }: Context): boolean {
  return (response as { readonly _explicitNullBody?: boolean })._explicitNullBody === true
}
