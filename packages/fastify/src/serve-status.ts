/** Serving the answers of operations that were answered with 202. */
import type { StatusResource } from '@retryproof/http'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { replacePayload } from './payloads.ts'

/**
 * `app.get('/operations/*', serveStatus(status))`, behind the authentication of the operations themselves. (Fastify refuses
 * parameters of more than 100 characters, but for a wildcard.)
 */
export function serveStatus(status: StatusResource<FastifyRequest>) {
  return async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    const { '*': id = '' } = request.params as { readonly '*'?: string }
    return reply.send(replacePayload(reply, await status.answer(id, request)))
  }
}
