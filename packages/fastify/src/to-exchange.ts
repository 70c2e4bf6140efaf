import type { Exchange } from '@retryproof/http'
import { headerFields, requestBody } from '@retryproof/http/node'
import type { FastifyReply, FastifyRequest } from 'fastify'

/** A request of Fastify, as a guard takes it. */
export function toExchange(
  request: FastifyRequest,
  reply: FastifyReply,
  json: Uint8Array | undefined,
): Exchange<FastifyRequest> {
  return {
    method: request.method,
    target: request.originalUrl,
    headers: headerFields(request.raw.rawHeaders),
    ...(json ? { body: json } : requestBody(request.raw, request.body)),
    route: request.routeOptions.url,
    get signal() {
      const controller = new AbortController()
      reply.raw.once('close', () => controller.abort())
      return controller.signal
    },
    native: request,
  }
}
