/** The console for frameworks that hand on Node's requests and responses. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { getRequestListener } from '@hono/node-server'
import { warn } from '@retryproof/core/internal'

/** A request of Node. Express adds the address before mounting, and what a parser has read. */
export type MountedRequest = IncomingMessage & { readonly originalUrl?: string; readonly body?: unknown }

/**
 * Makes a listener for Node's server, Express, Connect, Koa, Fastify and NestJS of a Fetch handler.
 *
 * @example
 * import { createIdempotency } from '@retryproof/core'
 * import { memoryStore } from '@retryproof/memory'
 * import { consoleHandler } from '@retryproof/console'
 * import { nodeListener } from '@retryproof/console/node'
 * import express from 'express'
 *
 * const idempotency = createIdempotency({ store: memoryStore(), namespace: 'shop' })
 * const authorize = (request: Request) => (request.headers.get('x-operator') ? { name: 'ada' } : null)
 * express().use('/idempotency', nodeListener(consoleHandler({ idempotency, authorize })))
 */
export function nodeListener(
  handle: (request: Request) => Promise<Response>,
): (req: MountedRequest, res: ServerResponse) => Promise<void> {
  const listen = getRequestListener(handle, { overrideGlobalObjects: false, errorHandler: answerFailure })
  return (req, res) => {
    // a mount takes its own path away from `url`
    if (req.originalUrl !== undefined) req.url = req.originalUrl
    const form = readForm(req)
    if (form !== undefined) Object.assign(req, { rawBody: Buffer.from(form) })
    return listen(req, res)
  }
}

/** Answers where nobody could be authorized, for one. The reason is for the log alone. */
function answerFailure(error: unknown): Response {
  warn('The console could not answer.', error)
  const headers = { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store' }
  return new Response('This page could not be made. The log of the application says why.\n', { status: 500, headers })
}

/** Returns the form that a parser of forms, text or bytes has read, as it came. */
function readForm(req: MountedRequest): string | Uint8Array | undefined {
  const { body, readableEnded } = req
  if (!readableEnded || 'rawBody' in req) return undefined
  if (typeof body === 'string' || body instanceof Uint8Array) return body
  if (typeof body !== 'object' || body === null) return undefined
  const fields = Object.entries(body).flatMap(([name, value]) =>
    [value].flat().map((one): [string, string] => [name, String(one)]),
  )
  return new URLSearchParams(fields).toString()
}
