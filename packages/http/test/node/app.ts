/** The application of the suite on Node's own servers. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createHttp2Server, createSecureServer } from 'node:http2'
import type { AddressInfo, Socket } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import type { BindingServer } from '@retryproof/conformance/http'
import { type Answer, bindingApp, type Route } from '@retryproof/conformance/http/app'
import type { IdempotencyStore } from '@retryproof/core'
import { certificate } from '../../../../conformance/test/certificate.ts'
import { attemptFor } from '../../src/index.ts'
import { idempotent, sendResponse } from '../../src/node.ts'

type Listener = (req: IncomingMessage, res: ServerResponse) => void

/** Serves a listener over a protocol. A server of `h2` takes clients of HTTP/1.1 as well. */
export async function listening(
  listener: Listener,
  protocol: NonNullable<BindingServer['protocol']> = 'http',
): Promise<BindingServer> {
  const onHttp2 = listener as never
  const server = (
    protocol === 'http'
      ? createServer(listener)
      : protocol === 'h2c'
        ? createHttp2Server(onHttp2)
        : createSecureServer({ ...certificate, allowHTTP1: true }, onHttp2)
  ) as Server
  const sockets = new Set<Socket>()
  server.on('connection', (socket) => sockets.add(socket))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    protocol,
    async close() {
      for (const socket of sockets) socket.destroy()
      server.close()
    },
  }
}

/** The features that a server without a framework does not have. */
export const lacks = {
  routes: 'a server knows no routes, so that operations are named',
  'compression outside': 'there is no middleware',
  'compression inside': 'there is no middleware',
}

export function plainApp(store: IdempotencyStore<unknown>): Listener {
  const app = bindingApp<IncomingMessage>({ store, header: headerOf, knowsRoutes: false })
  const handlers = new Map(
    app.routes.map((route) => [
      `${route.method} ${route.prefix ?? ''}${route.path}`,
      { listener: listenerOf(route), timeout: route.timeout },
    ]),
  )
  return (req, res) => {
    for (const [name, value] of app.before()) res.setHeader(name, value)
    const refused = app.refuses((name) => headerOf(req, name))
    const [path = ''] = (req.url ?? '').split('?', 1)
    const handler = handlers.get(`${req.method} ${path}`)
    if (refused !== undefined) res.writeHead(refused).end()
    else if (handler) {
      void handler.timeout?.(headerOf(req, 'x-case') ?? '').then(() => {
        if (!res.headersSent) res.writeHead(503).end()
      })
      handler.listener(req, res)
    } else if (path.startsWith(`${app.status.path}/`)) {
      const id = path.slice(app.status.path.length + 1)
      void app.status.resource.answer(id, req).then((response) => sendResponse(res, response))
    } else res.writeHead(404).end()
  }
}

function headerOf({ headers }: IncomingMessage, name: string): string | undefined {
  const value = headers[name]
  return Array.isArray(value) ? value[0] : value
}

function listenerOf(route: Route<IncomingMessage>): Listener {
  const { guard, transaction } = route
  const fail = (error: unknown, _req: IncomingMessage, res: ServerResponse) => {
    if (res.headersSent) res.destroy()
    else res.writeHead((error as { readonly status?: number }).status ?? 500).end()
  }
  if (!guard) return (req, res) => void run(route, req, res).catch((error: unknown) => fail(error, req, res))
  const { idempotency, options, outer } = guard
  if (transaction) {
    return idempotent(
      idempotency,
      { ...options, transaction, onError: fail },
      (req: IncomingMessage, res: ServerResponse, { tx }) => run(route, req, res, tx),
    )
  }
  const binding = idempotent(idempotency, { ...options, onError: fail }, (req: IncomingMessage, res: ServerResponse) =>
    run(route, req, res),
  )
  return outer ? idempotent(idempotency, { ...outer, onError: fail }, binding) : binding
}

async function run(
  { handle }: Route<IncomingMessage>,
  req: IncomingMessage,
  res: ServerResponse,
  tx?: unknown,
): Promise<void> {
  const answer = await handle({
    attempt: attemptFor(req),
    tx,
    header: (name) => headerOf(req, name),
    response: res,
    body: () => bodyOf(req),
    clientGone: () => new Promise((resolve) => req.socket.once('close', () => resolve())),
  })
  await give(res, answer)
}

async function bodyOf(req: IncomingMessage): Promise<unknown> {
  const bytes = await buffer(req)
  if (req.headers['content-type'] !== 'application/json') return bytes
  try {
    return JSON.parse(bytes.toString()) as unknown
  } catch (error) {
    throw Object.assign(error as Error, { status: 400 })
  }
}

async function give(res: ServerResponse, answer: Answer): Promise<void> {
  if ('fails' in answer) throw Object.assign(new Error('as it was told'), { status: answer.fails })
  if ('redirect' in answer) return void res.writeHead(answer.status, { Location: answer.redirect }).end()
  const { status, headers = [], removes = [], body, raw, throwsAfterwards } = answer
  if (typeof raw === 'function') return raw(res)
  if (raw) return void res.writeHead(status, [...headers.flat()]).end(body && 'text' in body ? body.text : '')
  res.statusCode = status
  for (const name of removes) res.removeHeader(name)
  for (const [name, value] of headers) res.appendHeader(name, value)
  // over HTTP/2 `setHeader` gives nothing back
  if (body && 'json' in body) res.setHeader('Content-Type', 'application/json')
  if (body && 'text' in body) res.setHeader('Content-Type', 'text/plain')
  if (!body) res.end()
  else if ('json' in body) res.end(JSON.stringify(body.json))
  else if ('text' in body) res.end(body.text)
  else if ('bytes' in body) res.end(body.bytes)
  else await pipeline(body.chunks, res)
  if (throwsAfterwards) throw new Error('too late')
}
