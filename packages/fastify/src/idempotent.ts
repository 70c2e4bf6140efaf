/** Fastify: from its requests and replies to an exchange, and back. */
import { notStarted } from '@retryproof/core'
import {
  answered,
  attemptFor,
  createGuard,
  type Guarding,
  type HandlerAttempt,
  type HttpOptions,
  type HttpResponse,
  recordable,
} from '@retryproof/http'
import { answerEarly, type CapturedResponse, captureResponse, isBodyLost, lostBody } from '@retryproof/http/node'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { hooksOf, type Note } from './hooks.ts'
import { noteJson } from './json-bytes.ts'
import { headersOf, replacePayload, resetHeaders } from './payloads.ts'
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
 * @throws IdempotencyInvalidOptionError naming the option and what it must be
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
  const notes = new WeakMap<FastifyRequest, Note>()

  async function serve(request: FastifyRequest, reply: FastifyReply, run: (tx?: Tx) => unknown): Promise<void> {
    const before = headersOf(reply)
    let captured: CapturedResponse | undefined
    try {
      const decision = await guard.handle(toExchange(request, reply, json.bytesOf(request)), {
        async execute({ signal }, { tx, limits }) {
          if (isBodyLost(request.raw)) throw notStarted(lostBody())
          if (captured?.discard() === 'reset') resetHeaders(reply, before)
          captured = captureResponse(reply.raw, { ...limits, signal })
          const note: Note = { signal, limits, serialized: undefined }
          notes.set(request, note)
          const done = run(tx)
          const [answer] = await Promise.all([captured.answered, tx === undefined ? undefined : done])
          // whoever found no body is answered for by nobody
          if (answer.response.status >= 400 && isBodyLost(request.raw)) throw lostBody()
          return answered(recordable(answer, note.serialized, before))
        },
        answerEarly: (response) => answerEarly(reply.raw, response),
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

  const hooks = hooksOf(guard, json, replacements, notes)
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
