/** The payloads that Fastify's `onSend` hooks pass on: serialized, and not yet compressed. */
import { pipeline, type Readable, Transform } from 'node:stream'
import { type HeaderField, type HttpResponse, headerValues } from '@retryproof/http'
import { groupFields } from '@retryproof/http/node'
import type { FastifyReply } from 'fastify'
import { setState, stateOf } from './reply-state.ts'

export type Payload = string | Buffer | Readable | ReadableStream<Uint8Array> | Response | null | undefined

const none = new Uint8Array()

/**
 * Gives the payload to send on, and calls `keep` once all its bytes are known, unless they are more than `maxBytes`. A
 * payload that Fastify refuses is left to Fastify.
 *
 * @param keep is given a function that makes the bytes, which are needed only where those that leave are compressed
 */
export function tapPayload(
  payload: Payload,
  reply: FastifyReply,
  maxBytes: number,
  keep: (bytes: () => Uint8Array) => void,
): Payload {
  if (typeof payload === 'string' || Buffer.isBuffer(payload)) {
    const bytes = typeof payload === 'string' ? undefined : Buffer.from(payload)
    keep(() => bytes ?? Buffer.from(payload))
    return payload
  }
  // for 204 Fastify drops the payload
  if (payload === undefined || payload === null || reply.statusCode === 204) {
    keep(() => none)
    return payload
  }
  if (isResponse(payload)) {
    if (payload.bodyUsed) return payload
    reply.code(payload.status)
    for (const [name, value] of payload.headers) reply.header(name, value)
    return tapPayload(payload.body ?? null, reply, maxBytes, keep)
  }
  const pieces = gather(maxBytes, keep)
  if ('pipe' in payload) return 'on' in payload ? tapStream(payload, pieces) : payload
  return 'getReader' in payload && !payload.locked ? tapWebStream(payload, pieces) : payload
}

/** The pieces of a stream, on their way through. */
interface Pieces {
  add(piece: string | Uint8Array): void
  end(): void
}

function gather(maxBytes: number, keep: (bytes: () => Uint8Array) => void): Pieces {
  let pieces: Uint8Array[] = []
  let size = 0
  return {
    add(piece) {
      // a copy, since the writer may use its buffer again
      const copy = Buffer.from(piece)
      size += copy.length
      if (size <= maxBytes) pieces.push(copy)
      else pieces = []
    },
    end() {
      if (size <= maxBytes) keep(() => Buffer.concat(pieces))
    },
  }
}

/** A stream of its own, since Fastify and others that compress it decide on their own when the given one begins to flow. */
function tapStream(stream: Readable, pieces: Pieces): Readable {
  const tap = new Transform({
    transform(piece: Uint8Array, _encoding, done) {
      pieces.add(piece)
      done(null, piece)
    },
    flush(done) {
      pieces.end()
      done()
    },
  })
  // an error of the given stream is the tap's, which Fastify answers
  return pipeline(stream, tap, () => {})
}

function tapWebStream(stream: ReadableStream<Uint8Array>, pieces: Pieces): ReadableStream<Uint8Array> {
  const reader = stream.getReader()
  return new ReadableStream({
    async pull(controller) {
      const { done, value } = await reader.read()
      if (done) {
        pieces.end()
        controller.close()
      } else {
        pieces.add(value)
        controller.enqueue(value)
      }
    },
    cancel: (reason) => reader.cancel(reason),
  })
}

/** Recognizes responses of other realms and packages too, as Fastify does. */
function isResponse(payload: Exclude<Payload, string | null | undefined>): payload is Response {
  return Object.prototype.toString.call(payload) === '[object Response]'
}

/** Makes the reply that response, and gives its payload. */
export function replacePayload(
  reply: FastifyReply,
  { status, headers, removed = [], body }: HttpResponse,
): Buffer | null {
  reply.code(status)
  // Fastify adds it to a reply that has none. Removed only then: V8 makes a dictionary of headers from which one is removed
  if (headerValues(headers, 'content-type').length === 0) reply.removeHeader('content-type')
  for (const name of removed) {
    reply.removeHeader(name)
    if (!reply.raw.headersSent) reply.raw.removeHeader(name)
  }
  for (const [name, value] of groupFields(headers)) reply.header(name, value)
  return body.length > 0 ? Buffer.from(body) : null
}

export type ReplyHeaders = Readonly<ReturnType<FastifyReply['getHeaders']>>

/** Gives a copy of all headers of a reply. Those of `reply.header` alone take a third of the time without Node's. */
export function copyHeaders(reply: FastifyReply): ReplyHeaders {
  const own = reply.raw.getHeaderNames().length === 0 && (stateOf(reply, 'headers') as ReplyHeaders | undefined)
  return own ? { ...own } : reply.getHeaders()
}

export function headersOf(reply: FastifyReply): HeaderField[] {
  return fieldsOf(copyHeaders(reply))
}

export function fieldsOf(headers: ReplyHeaders): HeaderField[] {
  const fields: HeaderField[] = []
  for (const name in headers) {
    const value = headers[name]
    if (Array.isArray(value)) for (const each of value) fields.push([name, String(each)])
    else if (value !== undefined) fields.push([name, String(value)])
  }
  return fields
}

/** Takes back what was done to a reply: its headers, that it was taken over, and that an error handler answered. */
export function resetReply(reply: FastifyReply, before: readonly HeaderField[]): void {
  for (const [name] of headersOf(reply)) reply.removeHeader(name)
  for (const [name, value] of before) reply.header(name, value)
  setState(reply, 'hijacked', false)
  setState(reply, 'nextErrorHandler', null)
}
