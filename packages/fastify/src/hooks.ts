/** The hooks of a guarded route: they see a request before it is parsed, and its answer before it is compressed. */
import type { BodyLimits, Guard, HeaderField, HttpResponse } from '@retryproof/http'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { noteJson } from './json-bytes.ts'
import type { Notes } from './notes.ts'
import { copyHeaders, fieldsOf, type Payload, type ReplyHeaders, replacePayload, tapPayload } from './payloads.ts'
import { stateOf } from './reply-state.ts'
import type { IdempotentRoute } from './route.ts'
import { ownMethod } from './to-exchange.ts'

/** An attempt that is under way. */
export interface Note {
  readonly limits: BodyLimits
  /** True once an error was passed on: only then Fastify calls an error handler. */
  hasFailed: boolean
  /** Called when an error handler answers. */
  onError: (error: unknown) => void
  /** Gives the answer before it was compressed, once all of it is known. */
  serialized: () => HttpResponse | undefined
}

/** @param replacements the responses that are sent whatever the handler answered */
export function hooksOf(
  guard: Pick<Guard<FastifyRequest>, 'covers' | 'refusalOf'>,
  json: ReturnType<typeof noteJson>,
  replacements: Notes<HttpResponse>,
  notes: Notes<Note>,
): Omit<IdempotentRoute, 'preHandler'> {
  return {
    preParsing(request, _reply, payload, done) {
      if (guard.covers(request.method, () => ownMethod(request))) json.note(request, payload)
      done(null, payload)
    },
    onError(request, _reply, error, done) {
      const refusal = guard.refusalOf(error, request)
      if (refusal) replacements.set(request, refusal)
      const note = notes.get(request)
      if (note) note.hasFailed = true
      done()
    },
    onSend(request, reply, given, done) {
      const replacement = replacements.get(request)
      const payload = replacement ? replacePayload(reply, replacement) : (given as Payload)
      const note = notes.get(request)
      if (!note) {
        done(null, payload)
        return
      }
      if (note.hasFailed && isAnsweredByErrorHandler(reply)) note.onError(undefined)
      let bytes: (() => Uint8Array) | undefined
      const sent = tapPayload(payload, reply, note.limits.maxResponseBytes, (known) => {
        bytes = known
      })
      const { statusCode } = reply
      const headers = copyHeaders(reply)
      const serialized = () => bytes && new SerializedAnswer(statusCode, headers, bytes)
      note.serialized = serialized
      // at once: as long as a hook takes, Fastify takes the reply for unsent, and may be given another
      done(null, sent)
    },
  }
}

/** An answer as it was serialized. Its fields and bytes are made where an answer was compressed, which needs them. */
class SerializedAnswer implements HttpResponse {
  readonly status: number
  readonly #headers: ReplyHeaders
  readonly #bytes: () => Uint8Array

  constructor(status: number, headers: ReplyHeaders, bytes: () => Uint8Array) {
    this.status = status
    this.#headers = headers
    this.#bytes = bytes
  }

  get headers(): readonly HeaderField[] {
    return fieldsOf(this.#headers)
  }

  get body(): Uint8Array {
    return this.#bytes()
  }
}

/** Fastify notes on a reply which error handler would be next, once one was called. */
function isAnsweredByErrorHandler(reply: FastifyReply): boolean {
  const next = stateOf(reply, 'nextErrorHandler')
  return next !== undefined && next !== null
}
