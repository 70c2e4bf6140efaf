/** What Fastify's `onSend` hooks pass on: serialized, and not yet compressed. */
import { Readable } from 'node:stream'
import { type BodyLimits, type HeaderField, type HttpResponse, holdBody } from '@retryproof/http'
import type { FastifyReply } from 'fastify'

export type Payload = string | Buffer | Readable | ReadableStream<Uint8Array> | Response | null | undefined

/** The payload to send on, and its bytes, where it is short enough to be kept. A stream is read to know that. */
export async function readPayload(
  payload: Payload,
  reply: FastifyReply,
  limits: BodyLimits,
  signal: AbortSignal,
): Promise<{ readonly payload: Payload; readonly bytes?: Uint8Array }> {
  if (payload === undefined || payload === null) return { payload, bytes: new Uint8Array() }
  if (typeof payload === 'string' || Buffer.isBuffer(payload)) return { payload, bytes: Buffer.from(payload) }
  if (payload instanceof Response) {
    reply.code(payload.status).headers(Object.fromEntries(payload.headers))
    return readPayload(payload.body, reply, limits, signal)
  }
  const { passing, ...held } = await holdBody(piecesOf(payload), headersOf(reply), limits, signal)
  if ('bytes' in held) return { payload: Buffer.from(held.bytes), bytes: held.bytes }
  // its end is held back where it leaves
  passing?.end()
  return { payload: Readable.from(passing?.pieces ?? []) }
}

async function* piecesOf(stream: Readable | ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array, undefined> {
  for await (const piece of stream as AsyncIterable<string | Uint8Array>) {
    yield typeof piece === 'string' ? Buffer.from(piece) : piece
  }
}

/** Makes the reply that response, and gives its payload. */
export function replacePayload(reply: FastifyReply, { status, headers, body }: HttpResponse): Buffer | undefined {
  const fields = new Map<string, string[]>()
  for (const [name, value] of headers) fields.set(name, [...(fields.get(name) ?? []), value])
  // which Fastify gives to what has none
  reply.code(status).removeHeader('content-type')
  for (const [name, values] of fields) reply.header(name, values.length > 1 ? values : values[0])
  return body.length > 0 ? Buffer.from(body) : undefined
}

export function headersOf(reply: FastifyReply): HeaderField[] {
  return Object.entries(reply.getHeaders()).flatMap(([name, value]): HeaderField[] => {
    if (value === undefined) return []
    return Array.isArray(value) ? value.map((each) => [name, each]) : [[name, String(value)]]
  })
}

/** Takes back what an attempt set that a conflict undid. */
export function resetHeaders(reply: FastifyReply, before: readonly HeaderField[]): void {
  for (const [name] of headersOf(reply)) reply.removeHeader(name)
  for (const [name, value] of before) reply.header(name, value)
}
