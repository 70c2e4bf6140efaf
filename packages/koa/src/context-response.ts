/** The response that a context has, and contexts that are given one. */
import { Readable, Stream } from 'node:stream'
import {
  type BodyLimits,
  changedFields,
  type HandlerAnswer,
  type HeaderField,
  type HttpResponse,
  headerValues,
  holdBody,
  type PassingBody,
} from '@retryproof/http'
import type { Context } from 'koa'

export interface HeldContext {
  readonly answer: HandlerAnswer
  /** Reports the parts of the body that have left while it is made. */
  readonly passing: PassingBody | undefined
}

const none = new Uint8Array()

/** Holds a context's body back, unless it is a stream, of which it holds back the end. */
export async function holdContext(
  ctx: Context,
  before: readonly HeaderField[],
  limits: BodyLimits,
  signal: AbortSignal,
): Promise<HeldContext> {
  const source = sourceOf(ctx)
  const { passing, ...held } = source
    ? await holdBody(source, headersOf(ctx), limits, signal)
    : { passing: undefined, bytes: bytesOf(ctx.body) }
  const bytes = 'bytes' in held ? held.bytes : none
  if (passing) ctx.body = Readable.from(passing.pieces)
  else if (source) ctx.body = Buffer.from(bytes)
  const headers = changedFields(headersOf(ctx), before)
  const replayable = !passing && !limits.stream && bytes.length <= limits.maxResponseBytes
  const body = replayable && ctx.method !== 'HEAD' ? bytes : none
  return { answer: { response: { status: ctx.status, headers, body }, replayable }, passing }
}

/** Bodies that have to be read to be known. */
function sourceOf({ body, req }: Context): AsyncIterator<Uint8Array> | undefined {
  if (body instanceof Stream) return piecesOf(body as Readable, () => req.socket.destroyed)
  if (body instanceof Blob) return piecesOf(body.stream())
  if (body instanceof Response) return body.body ? piecesOf(body.body) : undefined
  return body instanceof ReadableStream ? piecesOf(body) : undefined
}

async function* piecesOf(
  stream: Readable | ReadableStream,
  isGone = () => false,
): AsyncGenerator<Uint8Array, undefined> {
  try {
    for await (const piece of stream as AsyncIterable<string | Uint8Array>) {
      yield typeof piece === 'string' ? Buffer.from(piece) : piece
    }
  } catch (error) {
    // Koa destroys the body of a client that leaves: no failure of the handler
    if (isGone() && (error as NodeJS.ErrnoException).code === 'ERR_STREAM_PREMATURE_CLOSE') return
    throw error
  }
}

/** As Koa will write them. */
function bytesOf(body: unknown): Uint8Array {
  if (body === undefined || body === null || body instanceof Response) return none
  return Buffer.from(typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body))
}

export function headersOf(ctx: Context): HeaderField[] {
  return Object.entries(ctx.response.headers).flatMap(([name, value]): HeaderField[] => {
    if (value === undefined) return []
    return Array.isArray(value) ? value.map((each) => [name, each]) : [[name, String(value)]]
  })
}

/** Makes a context what it was before the handler. */
export function resetContext(ctx: Context, before: readonly HeaderField[]): void {
  ctx.body = undefined
  ctx.status = 404
  for (const [name] of headersOf(ctx)) ctx.remove(name)
  setHeaders(ctx, before)
}

/** Answers with that response. Middleware outside finds a value where there was one the first time. */
export function putResponse(ctx: Context, { status, headers, body }: HttpResponse): void {
  // a body with a type and no bytes was an empty text; one with neither gets the text that Koa has for its status
  if (body.length > 0 || headerValues(headers, 'content-type').length > 0) ctx.body = restoreBody(headers, body)
  ctx.status = status
  ctx.remove('Content-Type')
  setHeaders(ctx, headers)
}

/** The value of JSON that is written as JavaScript writes it; else the bytes. */
function restoreBody(headers: readonly HeaderField[], body: Uint8Array): unknown {
  const bytes = Buffer.from(body)
  if (!headerValues(headers, 'content-type').some((type) => /[/+]json\b/.test(type))) return bytes
  try {
    const text = bytes.toString()
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && JSON.stringify(value) === text ? value : bytes
  } catch {
    return bytes
  }
}

function setHeaders(ctx: Context, headers: readonly HeaderField[]): void {
  const fields = new Map<string, string[]>()
  for (const [name, value] of headers) fields.set(name, [...(fields.get(name) ?? []), value])
  for (const [name, values] of fields) ctx.set(name, values.length > 1 ? values : (values[0] ?? ''))
}
