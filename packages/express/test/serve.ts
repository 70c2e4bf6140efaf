/** The application of the suite on Express. */
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { pipeline } from 'node:stream/promises'
import type { BindingServer } from '@retryproof/conformance/http'
import { type Answer, type BindingApp, bindingApp, type Route } from '@retryproof/conformance/http/app'
import type { IdempotencyStore } from '@retryproof/core'
import compression from 'compression'
import express, { type Express, type Request, type RequestHandler, type Response, type Router } from 'express'
import { attemptOf, idempotent, serveStatus } from '../src/index.ts'

export type Binding = typeof idempotent

async function run({ handle }: Route<Request>, req: Request, res: Response, tx?: unknown): Promise<void> {
  const answer = await handle({
    attempt: attemptOf(req),
    tx,
    header: (name) => req.get(name),
    response: res,
    body: async () => req.body as unknown,
    clientGone: () => new Promise((resolve) => req.socket.once('close', () => resolve())),
  })
  await give(res, answer)
}

/** The handlers of a route, in order. A handler that writes in a transaction is given to the binding. */
function stackOf(framework: typeof express, route: Route<Request>, idempotent: Binding): RequestHandler[] {
  const { guard, transaction, compression: place, timeout } = route
  const compressed = compression({ threshold: 0 })
  const parsers: RequestHandler[] = [framework.json(), framework.raw()]
  const handler: RequestHandler = (req, res, next) => void run(route, req, res).catch(next)
  if (!guard) return [...parsers, handler]
  const { idempotency, options, outer } = guard
  if (transaction) {
    const whole = idempotent(idempotency, { ...options, transaction }, (req, res, { tx }) => run(route, req, res, tx))
    return [...parsers, whole]
  }
  const binding = idempotent(idempotency, options)
  if (timeout) return [timeOut(timeout), binding, ...parsers, handler]
  if (place === 'outside') return [compressed, binding, ...parsers, handler]
  const guards = outer ? [idempotent(idempotency, outer), binding] : [binding]
  return [...guards, ...(place === 'inside' ? [compressed] : []), ...parsers, handler]
}

/** As `connect-timeout` does it. */
function timeOut(timeout: (id: string) => Promise<void>): RequestHandler {
  return (req, res, next) => {
    void timeout(req.get('x-case') ?? '').then(() => {
      if (!res.headersSent) next(Object.assign(new Error('Response timeout'), { status: 503 }))
    })
    next()
  }
}

async function give(res: Response, answer: Answer): Promise<void> {
  if ('fails' in answer) throw Object.assign(new Error('as it was told'), { status: answer.fails })
  if ('redirect' in answer) return res.redirect(answer.status, answer.redirect)
  const { status, headers = [], removes = [], body, raw, throwsAfterwards } = answer
  if (typeof raw === 'function') return raw(res)
  if (raw) return void res.writeHead(status, [...headers.flat()]).end(body && 'text' in body ? body.text : '')
  res.status(status)
  for (const name of removes) res.removeHeader(name)
  for (const [name, value] of headers) res.append(name, value)
  if (!body) res.end()
  else if ('json' in body) res.json(body.json)
  else if ('text' in body) res.send(body.text)
  else if ('bytes' in body) res.send(Buffer.from(body.bytes))
  else await pipeline(body.chunks, res).catch(() => undefined)
  if (throwsAfterwards) throw new Error('too late')
}

function mount(framework: typeof express, app: BindingApp<Request>, binding: Binding): Express {
  const server = framework().set('env', 'test').disable('x-powered-by')
  const routers = new Map<string | undefined, Express | Router>([[undefined, server]])
  server.use((req, res, next) => {
    for (const [name, value] of app.before()) res.set(name, value)
    const status = app.refuses((name) => req.get(name))
    if (status === undefined) next()
    else res.sendStatus(status)
  })
  for (const route of app.routes) {
    const { method, prefix, path } = route
    const router = routers.get(prefix) ?? framework.Router()
    if (prefix && !routers.has(prefix)) server.use(prefix, router)
    routers.set(prefix, router)
    router[method.toLowerCase() as 'post'](path, stackOf(framework, route, binding))
  }
  server.get(`${app.status.path}/:id`, serveStatus(app.status.resource))
  return server
}

export async function serve(
  store: IdempotencyStore<unknown>,
  framework: typeof express = express,
  binding: Binding = idempotent,
): Promise<BindingServer> {
  const app = bindingApp<Request>({ store, header: (req, name) => req.get(name) })
  const server = await new Promise<Server>((resolve) => {
    const listening: Server = mount(framework, app, binding).listen(0, '127.0.0.1', () => resolve(listening))
  })
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      server.closeAllConnections()
      server.close()
    },
  }
}
