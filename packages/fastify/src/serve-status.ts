/** Serving the answers of operations that were answered with 202. */
import type { StatusResource } from '@retryproof/http'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { replacePayload } from './payloads.ts'

/**
 * Serves the answers of operations that were answered with 202, behind the authentication of the operations themselves.
 * The route ends with a wildcard: Fastify refuses other parameters of more than 100 characters.
 *
 * @example
 * import { unscoped } from '@retryproof/core'
 * import { serveStatus } from '@retryproof/fastify'
 * import { statusResource } from '@retryproof/http/status'
 * import Fastify, { type FastifyRequest } from 'fastify'
 *
 * const status = statusResource<FastifyRequest>(idempotency, { path: '/operations', scope: unscoped, secret })
 * Fastify().get('/operations/*', serveStatus(status))
 */
export function serveStatus(status: StatusResource<FastifyRequest>) {
  return async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    const { '*': id = '' } = request.params as { readonly '*'?: string }
    return reply.send(replacePayload(reply, await status.answer(id, request)))
  }
}
