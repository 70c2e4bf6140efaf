/** Requests on the Fastify platform. */
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http'
import { type HeaderField, type HttpResponse, recordable } from '@retryproof/http'
import { groupFields } from '@retryproof/http/node'
import { muteWrites, type NativeRequest, type Platform } from './platform.ts'

export interface FastifyRequest extends NativeRequest {
  readonly raw: IncomingMessage
  readonly originalUrl: string
  readonly routeOptions: { readonly url?: string }
}

export interface FastifyReply {
  readonly raw: ServerResponse
  readonly statusCode: number
  code(status: number): this
  send(payload?: unknown): this
  header(name: string, value: unknown): this
  removeHeader(name: string): this
  getHeaders(): OutgoingHttpHeaders
}

type Done = (error: Error | null, payload: unknown) => void

export interface FastifyInstance {
  addHook(name: 'onSend', hook: (request: object, reply: FastifyReply, payload: unknown, done: Done) => void): unknown
}

/** Responses that are sent in place of the handler's. */
const replacements = new WeakMap<FastifyReply, () => Buffer | undefined>()
/** Answers of attempts, before compression. */
const notes = new WeakMap<FastifyReply, { serialized?: HttpResponse }>()
const hooked = new WeakSet<FastifyInstance>()

/** The application's own `onSend` hooks come before, compression comes after: both stand where replays need them. */
export function hookFastify(instance: FastifyInstance): void {
  if (hooked.has(instance)) return
  hooked.add(instance)
  instance.addHook('onSend', (_request, reply, given, done) => {
    const replace = replacements.get(reply)
    const payload = replace ? replace() : given
    const note = notes.get(reply)
    const body = bytesOf(payload)
    if (note && body) note.serialized = { status: reply.statusCode, headers: headersOf(reply), body }
    done(null, payload)
  })
}

export function onFastify(request: FastifyRequest, reply: FastifyReply): Platform {
  const { raw: res, statusCode } = reply
  const before = headersOf(reply)

  function restore(headers: readonly HeaderField[]): void {
    for (const [name] of headersOf(reply)) reply.removeHeader(name)
    for (const [name, value] of groupFields(headers)) reply.header(name, value)
  }

  return {
    native: request,
    req: request.raw,
    res,
    target: request.originalUrl,
    pattern: request.routeOptions.url ?? '',
    send({ status, headers, removed = [], body }) {
      const names = new Set([...removed, ...headers.map(([name]) => name.toLowerCase())])
      const others = before.filter(([name]) => !names.has(name.toLowerCase()))
      function replace(): Buffer | undefined {
        reply.code(status)
        restore([...others, ...headers])
        return body.length > 0 ? Buffer.from(body) : undefined
      }
      replacements.set(reply, replace)
      reply.send(replace())
    },
    note: () => notes.set(reply, {}),
    recordable: (answer) => recordable(answer, notes.get(reply)?.serialized, { before, names: res.getHeaderNames() }),
    reset() {
      reply.code(statusCode)
      restore(before)
    },
    mute() {
      muteWrites(res)
      Object.assign(reply, { send: () => reply, view: () => reply })
    },
  }
}

function bytesOf(payload: unknown): Uint8Array | undefined {
  return typeof payload === 'string' || Buffer.isBuffer(payload) ? Buffer.from(payload) : undefined
}

function headersOf(reply: FastifyReply): HeaderField[] {
  return Object.entries(reply.getHeaders()).flatMap(([name, value]): HeaderField[] =>
    [value ?? []].flat().map((each) => [name, String(each)]),
  )
}
