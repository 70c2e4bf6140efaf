/** The route options that `idempotent` gives, and the handlers that it takes. */
import type { Readable } from 'node:stream'
import type { HandlerAttempt } from '@retryproof/http'
import type { FastifyReply, FastifyRequest } from 'fastify'

type Done<Value> = (error?: Error | null, value?: Value) => void

interface Hooks {
  preParsing(request: FastifyRequest, reply: FastifyReply, payload: Readable, done: Done<Readable>): void
  onError(request: FastifyRequest, reply: FastifyReply, error: Error, done: () => void): void
  onSend(request: FastifyRequest, reply: FastifyReply, payload: unknown, done: Done<unknown>): void
}

/** Options of a route: `app.post('/charges', idempotent(…), handler)`, or `{ schema, ...idempotent(…) }`. */
export interface IdempotentRoute extends Hooks {
  preHandler(request: FastifyRequest, reply: FastifyReply, done: (error?: Error) => void): void
}

/** The same, where the handler was given: `app.post('/charges', idempotent(…, handler))`. */
export interface IdempotentRouteWithHandler extends Hooks {
  handler(request: FastifyRequest, reply: FastifyReply): unknown
}

/** A handler that is given to `idempotent`, and answers as any handler of Fastify does. */
export type IdempotentHandler<Told = { readonly attempt: HandlerAttempt | undefined }> = (
  request: FastifyRequest,
  reply: FastifyReply,
  /** `attempt` is undefined where the request passed without protection: another method, or no key and none required. */
  context: Told,
) => unknown

/** A handler that writes on an open transaction, which commits together with what it answers. */
export type TransactionHandler<Tx> = IdempotentHandler<{ readonly attempt: HandlerAttempt; readonly tx: Tx }>
