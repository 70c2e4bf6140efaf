/** The application of the suite on Fastify. */

import type { AddressInfo, Socket } from 'node:net'
import { Readable } from 'node:stream'
import { createGzip } from 'node:zlib'
import compress from '@fastify/compress'
import type { BindingServer } from '@retryproof/conformance/http'
import { type Answer, bindingApp, type Route } from '@retryproof/conformance/http/app'
import type { IdempotencyStore } from '@retryproof/core'
import Fastify, {
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  type onRequestHookHandler,
  type RouteOptions,
} from 'fastify'
import { certificate } from '../../../conformance/test/certificate.ts'
import { attemptOf, type IdempotentRoute, idempotent, serveStatus } from '../src/index.ts'

export async function serve(
  store: IdempotencyStore<unknown>,
  protocol: BindingServer['protocol'] = 'http',
): Promise<BindingServer> {
  const app = await fastifyApp(store, protocol)
  const sockets = new Set<Socket>()
  app.server.on('connection', (socket) => sockets.add(socket))
  await app.listen({ port: 0, host: '127.0.0.1' })
  return {
    port: (app.server.address() as AddressInfo).port,
    protocol,
    async close() {
      // Fastify waits for the sessions of HTTP/2
      for (const socket of sockets) socket.destroy()
      await app.close()
    },
  }
}

/** Over HTTP/2 the instance has another type, and the same members. */
function instanceFor(protocol: BindingServer['protocol']): FastifyInstance {
  const options = { forceCloseConnections: true }
  if (protocol === 'http') return Fastify(options)
  const secure = { https: { ...certificate, allowHTTP1: true } }
  const over =
    protocol === 'h2c' ? Fastify({ ...options, http2: true }) : Fastify({ ...options, http2: true, ...secure })
  return over as unknown as FastifyInstance
}

async function fastifyApp(
  store: IdempotencyStore<unknown>,
  protocol: BindingServer['protocol'],
): Promise<FastifyInstance> {
  const app = bindingApp<FastifyRequest>({ store, header: headerOf })
  const server = instanceFor(protocol)
  await server.register(compress, { global: false, threshold: 0 })
  server.addContentTypeParser('application/octet-stream', { parseAs: 'buffer' }, (_request, body, done) =>
    done(null, body),
  )
  server.addContentTypeParser('text/plain', { parseAs: 'string' }, (_request, body, done) => done(null, body))
  server.addHook('onRequest', async (request, reply) => {
    for (const [name, value] of app.before()) reply.header(name, value)
    const status = app.refuses((name) => headerOf(request, name))
    if (status !== undefined) return reply.code(status).send()
  })
  for (const prefix of new Set(app.routes.map((route) => route.prefix))) {
    const mount = (router: FastifyInstance, _options: unknown, done: () => void) => {
      for (const route of app.routes) if (route.prefix === prefix) router.route(optionsOf(route))
      done()
    }
    await server.register(mount, prefix ? { prefix } : {})
  }
  server.get(`${app.status.path}/*`, serveStatus(app.status.resource))
  return server
}

function headerOf({ headers }: FastifyRequest, name: string): string | undefined {
  const value = headers[name]
  return Array.isArray(value) ? value[0] : value
}

function optionsOf(route: Route<FastifyRequest>): RouteOptions {
  const { method, path: url, guard, transaction, compression, timeout } = route
  const handler = (request: FastifyRequest, reply: FastifyReply) => run(route, request, reply)
  const plain = { method, url, exposeHeadRoute: false, handler, ...(compression === 'outside' && { compress: {} }) }
  if (!guard) return plain
  const { idempotency, options, outer } = guard
  if (transaction) {
    return {
      ...plain,
      ...idempotent(idempotency, { ...options, transaction }, (request, reply, { tx }) =>
        run(route, request, reply, tx),
      ),
    }
  }
  if (outer) return { ...plain, ...stacked(idempotent(idempotency, outer), idempotent(idempotency, options)) }
  return { ...plain, ...(timeout && { onRequest: timeOut(timeout) }), ...idempotent(idempotency, options) }
}

/** Two guards on one route. */
function stacked(outer: IdempotentRoute, inner: IdempotentRoute) {
  return {
    preParsing: [outer.preParsing, inner.preParsing],
    preHandler: [outer.preHandler, inner.preHandler],
    onError: [outer.onError, inner.onError],
    onSend: [outer.onSend, inner.onSend],
  }
}

/** As `handlerTimeout` does it. */
function timeOut(timeout: (id: string) => Promise<void>): onRequestHookHandler {
  return (request, reply, done) => {
    void timeout(headerOf(request, 'x-case') ?? '').then(() => {
      if (!reply.sent) reply.send(Object.assign(new Error('Response timeout'), { statusCode: 503 }))
    })
    done()
  }
}

async function run(
  { handle, compression }: Route<FastifyRequest>,
  request: FastifyRequest,
  reply: FastifyReply,
  tx?: unknown,
): Promise<FastifyReply> {
  const answer = await handle({
    attempt: attemptOf(request),
    tx,
    header: (name) => headerOf(request, name),
    response: reply.raw,
    body: async () => request.body,
    clientGone: () => new Promise((resolve) => request.raw.socket.once('close', () => resolve())),
  })
  give(reply, answer, compression === 'inside' && request.headers['accept-encoding'] === 'gzip')
  if ('throwsAfterwards' in answer && answer.throwsAfterwards) throw new Error('too late')
  return reply
}

function give(reply: FastifyReply, answer: Answer, isCompressed: boolean): void {
  if ('fails' in answer) throw Object.assign(new Error('as it was told'), { statusCode: answer.fails })
  if ('redirect' in answer) return void reply.redirect(answer.redirect, answer.status)
  const { status, headers = [], removes = [], body, raw } = answer
  if (typeof raw === 'function') return void raw(reply.raw)
  if (raw) return void reply.raw.writeHead(status, [...headers.flat()]).end(body && 'text' in body ? body.text : '')
  reply.code(status)
  for (const name of removes) reply.removeHeader(name)
  for (const [name, value] of headers) {
    const before = reply.getHeader(name)
    // a header that is set twice is a list, but for cookies, to which Fastify adds by itself
    const isMore = before !== undefined && name !== 'Set-Cookie'
    reply.header(name, isMore ? [before, value].flat().map(String) : value)
  }
  if (!body) reply.send()
  else if ('json' in body && isCompressed) {
    const gzip = createGzip()
    gzip.end(JSON.stringify(body.json))
    reply.header('content-encoding', 'gzip').type('application/json').send(gzip)
  } else if ('json' in body) reply.send(body.json)
  else if ('text' in body) reply.send(body.text)
  else if ('bytes' in body) reply.send(Buffer.from(body.bytes))
  else reply.send(Readable.from(body.chunks, { objectMode: false }))
}
