/** The hooks of a guarded route: they see a request before it is parsed, and its answer before it is compressed. */
import type { BodyLimits, Guard, HeaderField, HttpResponse } from '@retryproof/http'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { noteJson } from './json-bytes.ts'
import type { Notes } from './notes.ts'
import { headersOf, type Payload, type ReadPayload, readPayload, replacePayload, type Timed } from './payloads.ts'
import { stateOf } from './reply-state.ts'
import type { IdempotentRoute } from './route.ts'
import { ownMethod } from './to-exchange.ts'

/** An attempt that is under way, and its answer before it was compressed. */
export interface Note {
  /** Its signal is made when it is asked for. */
  readonly attempt: Timed
  readonly limits: BodyLimits
  /** Called when an error handler answers. */
  onError: (error: unknown) => void
  serialized: HttpResponse | undefined
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
      done()
    },
    onSend(request, reply, given, done) {
      const replacement = replacements.get(request)
      const payload = replacement ? replacePayload(reply, replacement) : (given as Payload)
      const note = notes.get(request)
      if (!note) {
        done(null, payload)
        return undefined
      }
      if (isAnsweredByErrorHandler(reply)) note.onError(undefined)
      const read = readPayload(payload, reply, note.limits, note.attempt)
      // a promise, since Fastify catches nothing behind a callback that is called late
      if ('then' in read) return read.then(keep)
      // at once: as long as a hook takes, Fastify takes the reply for unsent, and may be given another
      done(null, keep(read))
      return undefined

      function keep({ bytes, payload: sent }: ReadPayload): Payload {
        if (note && bytes) note.serialized = new SerializedAnswer(reply, bytes)
        return sent
      }
    },
  }
}

/** An answer as it was serialized. Its bytes are made only where they are needed, since those that leave were compressed. */
class SerializedAnswer implements HttpResponse {
  readonly status: number
  readonly headers: readonly HeaderField[]
  readonly #bytes: () => Uint8Array

  constructor(reply: FastifyReply, bytes: () => Uint8Array) {
    this.status = reply.statusCode
    this.headers = headersOf(reply)
    this.#bytes = bytes
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
