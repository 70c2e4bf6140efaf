/** Fastify 5 and 6. */
import {
  attemptFor,
  createGuard,
  type Guarding,
  type HandlerAttempt,
  type HeaderField,
  type HttpOptions,
  type HttpResponse,
  recordable,
} from '@retryproof/http'
import { type NodeBinding, passOnNode, serveNode } from '@retryproof/http/node'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { afterReturn, watchHandler, whenAwaited } from './handler-work.ts'
import { hooksOf, type Note } from './hooks.ts'
import { noteJson } from './json-bytes.ts'
import { notesOn } from './notes.ts'
import { headersOf, replacePayload, resetReply } from './payloads.ts'
import { setState } from './reply-state.ts'
import type { IdempotentHandler, IdempotentRoute, IdempotentRouteWithHandler, TransactionHandler } from './route.ts'
import { ownMethod, toExchange } from './to-exchange.ts'

/**
 * Gives the attempt that handles this request; `undefined` where it passed without protection.
 *
 * @example
 * import { attemptOf } from '@retryproof/fastify'
 * import Fastify from 'fastify'
 *
 * Fastify().post('/charges', async (request) => ({ attempt: attemptOf(request)?.number }))
 */
export function attemptOf(request: FastifyRequest): HandlerAttempt | undefined {
  return attemptFor(request)
}

const MIB = 1_048_576

/**
 * Makes a route safe to retry. Authentication, on which `scope` relies, comes in a hook before: `onRequest`, or a
 * `preHandler` of the instance.
 *
 * @throws {@link IdempotencyInvalidOptionError} when an option is not what it must be
 *
 * @example
 * import { createIdempotency } from '@retryproof/core'
 * import { idempotent } from '@retryproof/fastify'
 * import { memoryStore } from '@retryproof/memory'
 * import Fastify from 'fastify'
 *
 * const idempotency = createIdempotency({ store: memoryStore(), namespace: 'payments' })
 * const route = idempotent(idempotency, { scope: (request) => String(request.headers['x-user']) })
 * Fastify().post('/charges', route, async () => ({ charged: true }))
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
  const replacements = notesOn<HttpResponse>('replacement')
  const notes = notesOn<Note>('attempt')
  const hooks = hooksOf(guard, json, replacements, notes)

  function serve(request: FastifyRequest, reply: FastifyReply, { run, fail, working, renew }: Running<Tx>): void {
    /** The headers of before the first attempt: a replay does not ask for them. */
    let before: readonly HeaderField[] = []
    let note: Note | undefined
    const binding: NodeBinding<Tx> = {
      req: request.raw,
      run,
      fail,
      working: () => working?.(),
      renew() {
        resetReply(reply, before)
        renew?.()
      },
      send(response) {
        replacements.set(request, response)
        reply.send(replacePayload(reply, response))
      },
      begin({ limits }) {
        if (!note) before = headersOf(reply)
        note = { limits, hasFailed: false, onError: () => {}, serialized: () => undefined }
        notes.set(request, note)
      },
      watchErrors({ onError }) {
        if (note) note.onError = onError
      },
      reset: () => resetReply(reply, before),
      recordable: (answer) => recordable(answer, note?.serialized(), { before, names: reply.raw.getHeaderNames() }),
    }
    if (!guard.covers(request.method, () => ownMethod(request))) void passOnNode(guard, request, reply.raw, binding)
    else void serveNode(guard, toExchange(request, reply, json.bytesOf(request)), reply.raw, binding)
  }

  if (!handler) {
    return {
      ...hooks,
      preHandler(request, reply, done) {
        let hasPassed = false
        const { working, renew } = watchHandler(request, reply)
        serve(request, reply, {
          working,
          renew,
          async run() {
            hasPassed = true
            done()
          },
          fail: (error) => (hasPassed ? sendError(reply, error) : done(error as Error)),
        })
      },
    }
  }
  return {
    ...hooks,
    handler(request, reply) {
      // settles as the handler does, so that Fastify answers by its own rules, whatever was returned or thrown
      return new Promise((resolve, reject) => {
        let isSettled = false
        let isRenewed = false
        async function settle(returned: unknown): Promise<void> {
          const payload = await returned
          if (isRenewed && payload === undefined) return
          // Fastify takes only one answer of a handler; a run after a conflict sends its own as Fastify would
          if (!isSettled) resolve(payload)
          else if (payload !== undefined || !reply.sent) reply.send(payload)
          isSettled = true
          if (isRenewed) await afterReturn(reply, payload)
        }
        serve(request, reply, {
          renew() {
            isRenewed = true
          },
          async run(tx) {
            const awaited = whenAwaited(reply)
            const returned = handler.call(request.server, request, reply, {
              attempt: attemptFor(request),
              tx,
            } as never)
            // a handler that gives nothing, not even a promise, answers later
            if (returned === undefined) return
            await Promise.race([settle(returned), awaited])
          },
          fail(error) {
            if (isSettled) sendError(reply, error)
            else reject(error)
            isSettled = true
          },
        })
      })
    },
  }
}

type Running<Tx> = Pick<NodeBinding<Tx>, 'run' | 'fail' | 'working' | 'renew'>

/** Answers an error as Fastify answers one that a handler throws, which may be any value. */
function sendError(reply: FastifyReply, error: unknown): void {
  setState(reply, 'isError', true)
  reply.send(error)
}
