/** Recognises the HTTP platform under NestJS by its request. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { onExpress } from './express.ts'
import { type FastifyReply, type FastifyRequest, onFastify } from './fastify.ts'
import type { Platform } from './platform.ts'

export function platformOf(request: object, response: object): Platform {
  if ('raw' in response) return onFastify(request as FastifyRequest, response as FastifyReply)
  return onExpress(request as IncomingMessage, response as ServerResponse)
}
