/** The payloads that Fastify's `onSend` hooks pass on: serialized, and not yet compressed. */
import { Readable } from 'node:stream'
import { type BodyLimits, type HeaderField, type HttpResponse, holdBody } from '@retryproof/http'
import { groupFields, iterable } from '@retryproof/http/node'
import type { FastifyReply } from 'fastify'
import { setState } from './reply-state.ts'

export type Payload = string | Buffer | Readable | ReadableStream<Uint8Array> | Response | null | undefined

/** An attempt whose time is limited. */
export interface Timed {
  readonly signal: AbortSignal
}

export interface ReadPayload {
  readonly payload: Payload
  /** Gives its bytes, where it is short enough to be kept. */
  readonly bytes?: () => Uint8Array
}

const none = new Uint8Array()

/** Gives the payload to send on. A stream is read to know its bytes; a payload that Fastify refuses is left to Fastify. */
export function readPayload(
  payload: Payload,
  reply: FastifyReply,
  limits: BodyLimits,
  attempt: Timed,
): ReadPayload | Promise<ReadPayload> {
  if (payload === undefined || payload === null) return { payload, bytes: () => none }
  if (typeof payload === 'string') return { payload, bytes: () => Buffer.from(payload) }
  if (Buffer.isBuffer(payload)) return { payload, bytes: always(Buffer.from(payload)) }
  // for which Fastify drops the payload
  if (reply.statusCode === 204) return { payload, bytes: () => none }
  if (isResponse(payload)) {
    if (payload.bodyUsed) return { payload }
    reply.code(payload.status)
    for (const [name, value] of payload.headers) reply.header(name, value)
    return readPayload(payload.body ?? null, reply, limits, attempt)
  }
  const pieces = piecesOf(payload)
  return pieces ? readPieces(pieces, reply, limits, attempt) : { payload }
}

async function readPieces(
  pieces: AsyncGenerator<Uint8Array, undefined>,
  reply: FastifyReply,
  limits: BodyLimits,
  attempt: Timed,
): Promise<ReadPayload> {
  const { passing, ...held } = await holdBody(pieces, headersOf(reply), limits, attempt.signal)
  if ('bytes' in held) {
    // Fastify gives bytes a length, which must not stand beside it
    reply.removeHeader('transfer-encoding')
    return { payload: Buffer.from(held.bytes), bytes: always(held.bytes) }
  }
  // its end is held back where it leaves
  passing?.end()
  return { payload: Readable.from(passing?.pieces ?? []) }
}

function always<Value>(value: Value): () => Value {
  return () => value
}

/** Recognizes responses of other realms and packages too, as Fastify does. */
function isResponse(payload: Exclude<Payload, string | null | undefined>): payload is Response {
  return Object.prototype.toString.call(payload) === '[object Response]'
}

/** Gives the pieces of a stream; `undefined` for one that is locked, and for what is none. */
function piecesOf(payload: object): AsyncGenerator<Uint8Array, undefined> | undefined {
  if ('pipe' in payload) return bytesOf(iterable(payload as Readable))
  if (!('getReader' in payload)) return undefined
  const stream = payload as ReadableStream<Uint8Array>
  return stream.locked ? undefined : bytesOf(readAll(stream))
}

async function* readAll(stream: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array, undefined> {
  const reader = stream.getReader()
  try {
    for (let next = await reader.read(); !next.done; next = await reader.read()) yield next.value
    return undefined
  } finally {
    await reader.cancel()
  }
}

async function* bytesOf(pieces: AsyncIterable<string | Uint8Array>): AsyncGenerator<Uint8Array, undefined> {
  for await (const piece of pieces) yield typeof piece === 'string' ? Buffer.from(piece) : piece
  return undefined
}

/** Makes the reply that response, and gives its payload. */
export function replacePayload(reply: FastifyReply, { status, headers, body }: HttpResponse): Buffer | null {
  // Fastify adds it to a reply that has none
  reply.code(status).removeHeader('content-type')
  for (const [name, value] of groupFields(headers)) reply.header(name, value)
  return body.length > 0 ? Buffer.from(body) : null
}

export function headersOf(reply: FastifyReply): HeaderField[] {
  const fields: HeaderField[] = []
  for (const [name, value] of Object.entries(reply.getHeaders())) {
    if (Array.isArray(value)) for (const each of value) fields.push([name, each])
    else if (value !== undefined) fields.push([name, String(value)])
  }
  return fields
}

/** Takes back what an attempt did to a reply: its headers, and that it took the reply over. */
export function resetReply(reply: FastifyReply, before: readonly HeaderField[]): void {
  for (const [name] of headersOf(reply)) reply.removeHeader(name)
  for (const [name, value] of before) reply.header(name, value)
  setState(reply, 'hijacked', false)
}
