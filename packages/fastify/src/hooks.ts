/** What is seen of a request before it is parsed, and of its answer before it is compressed. */
import { type BodyLimits, type Guard, type HttpResponse, PreconditionError } from '@retryproof/http'
import type { FastifyRequest } from 'fastify'
import type { noteJson } from './json-bytes.ts'
import { headersOf, type Payload, readPayload, replacePayload } from './payloads.ts'
import type { IdempotentRoute } from './route.ts'

/** An attempt that is under way, and what it answered before it was compressed. */
export interface Note {
  readonly signal: AbortSignal
  readonly limits: BodyLimits
  serialized: HttpResponse | undefined
}

/** @param replacements what is sent whatever the handler answered */
export function hooksOf(
  guard: Pick<Guard<FastifyRequest>, 'covers'>,
  json: ReturnType<typeof noteJson>,
  replacements: WeakMap<FastifyRequest, HttpResponse>,
  notes: WeakMap<FastifyRequest, Note>,
): Omit<IdempotentRoute, 'preHandler'> {
  return {
    preParsing(request, _reply, payload, done) {
      if (guard.covers(request.method)) json.note(request, payload)
      done(null, payload)
    },
    onError(request, _reply, error, done) {
      if (error instanceof PreconditionError) replacements.set(request, error.response)
      done()
    },
    onSend(request, reply, given, done) {
      const replacement = replacements.get(request)
      const payload = replacement ? replacePayload(reply, replacement) : given
      const note = notes.get(request)
      if (!note) return done(null, payload)
      readPayload(payload as Payload, reply, note.limits, note.signal).then((read) => {
        const { bytes: body } = read
        note.serialized = body && { status: reply.statusCode, headers: headersOf(reply), body }
        done(null, read.payload)
      }, done)
    },
  }
}
