/** Fastify: from its requests and replies to an exchange, and back. */
import { notStarted } from '@retryproof/core'
import {
  attemptFor,
  createGuard,
  type Guarding,
  type HandlerAttempt,
  type HttpOptions,
  type HttpResponse,
  PreconditionError,
} from '@retryproof/http'
import { answerEarly, type CapturedResponse, captureResponse, isBodyLost, lostBody } from '@retryproof/http/node'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { noteJson } from './json-bytes.ts'
import { headersOf, type Payload, readPayload, replacePayload, resetHeaders } from './payloads.ts'
import { recordable } from './recordable.ts'
import type { IdempotentHandler, IdempotentRoute, IdempotentRouteWithHandler, TransactionHandler } from './route.ts'
import { toExchange } from './to-exchange.ts'

/** The attempt that handles this request; `undefined` where it passed without protection. */
export function attemptOf(request: FastifyRequest): HandlerAttempt | undefined {
  return attemptFor(request)
}

const MIB = 1_048_576

/**
 * Makes a route safe to retry: `app.post('/charges', idempotent(idempotency, { scope }), handler)`.
 *
 * Let authentication, which `scope` relies on, come in a hook before: `onRequest`, or a `preHandler` of the instance.
 *
 * @throws InvalidOptionError naming the option and what it must be
 */
export function idempotent<Tx>(
  idempotency: Guarding<Tx>,
  options: HttpOptions<FastifyRequest> & { readonly transaction: true },
  handler: TransactionHandler<Tx>,
): IdempotentRouteWithHandler
export function idempotent<Tx>(
  idempotency: Guarding<Tx>,
  options: HttpOptions<FastifyRequest>,
  handler: IdempotentHandler,
): IdempotentRouteWithHandler
export function idempotent<Tx>(idempotency: Guarding<Tx>, options: HttpOptions<FastifyRequest>): IdempotentRoute
export function idempotent<Tx>(
  idempotency: Guarding<Tx>,
  options: HttpOptions<FastifyRequest>,
  handler?: IdempotentHandler<never>,
): IdempotentRoute | IdempotentRouteWithHandler {
  const guard = createGuard<FastifyRequest, Tx>(idempotency, options, { hasHandler: handler !== undefined })
  const json = noteJson(options.maxRequestBytes ?? MIB)
  /** What is sent whatever the handler answered. */
  const replacements = new WeakMap<FastifyRequest, HttpResponse>()
  /** Attempts that are under way, and what they answered before it was compressed. */
  const notes = new WeakMap<FastifyRequest, { readonly signal: AbortSignal; serialized?: HttpResponse | undefined }>()

  async function serve(request: FastifyRequest, reply: FastifyReply, run: (tx?: Tx) => unknown): Promise<void> {
    const before = headersOf(reply)
    let captured: CapturedResponse | undefined
    let { limits } = guard
    try {
      const decision = await guard.handle(toExchange(request, reply, json.bytesOf(request)), {
        async execute({ signal }, tx) {
          if (isBodyLost(request.raw)) throw notStarted(lostBody())
          if (captured?.discard() === 'reset') resetHeaders(reply, before)
          captured = captureResponse(reply.raw, { ...limits, signal })
          const note = { signal, serialized: undefined }
          notes.set(request, note)
          const { answered } = captured
          const done = run(tx)
          const [answer] = await Promise.all([answered, tx === undefined ? undefined : done])
          // whoever found no body is answered for by nobody
          if (answer.response.status >= 400 && isBodyLost(request.raw)) throw lostBody()
          return recordable(answer, note.serialized, before)
        },
        async answerEarly(response) {
          limits = { ...limits, whole: true }
          await answerEarly(reply.raw, response)
        },
      })
      if (decision.kind === 'pass') await run()
      else if (decision.kind === 'own') captured?.release(decision.headers)
      else if (decision.kind === 'send' && captured) captured.replace(decision.response)
      else if (decision.kind === 'send') {
        replacements.set(request, decision.response)
        reply.send(replacePayload(reply, decision.response))
      }
    } catch (error) {
      // a response that the handler destroyed has nobody left to answer
      if (captured?.discard() !== 'destroyed') reply.send(error)
    }
  }

  /** Resolves when the handler is done. What it throws is Fastify's, but for what a transaction has to undo. */
  async function handle(request: FastifyRequest, reply: FastifyReply, tx?: Tx): Promise<void> {
    try {
      const payload = await handler?.(request, reply, { attempt: attemptFor(request), tx } as never)
      if (payload !== undefined && payload !== reply) reply.send(payload)
    } catch (error) {
      if (reply.sent && tx !== undefined) throw error
      reply.send(error)
    }
  }

  const hooks: Omit<IdempotentRoute, 'preHandler'> = {
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
      readPayload(payload as Payload, reply, guard.limits, note.signal).then((read) => {
        const { bytes: body } = read
        note.serialized = body && { status: reply.statusCode, headers: headersOf(reply), body }
        done(null, read.payload)
      }, done)
    },
  }
  if (!handler) {
    return {
      ...hooks,
      preHandler(request, reply, done) {
        if (guard.covers(request.method)) void serve(request, reply, () => done())
        else done()
      },
    }
  }
  return {
    ...hooks,
    handler(request, reply) {
      const run = (tx?: Tx) => handle(request, reply, tx)
      void (guard.covers(request.method) ? serve(request, reply, run) : run())
    },
  }
}
