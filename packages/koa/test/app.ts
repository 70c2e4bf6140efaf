/** The application of the suite on Koa. */
import { Readable } from 'node:stream'
import { bodyParser } from '@koa/bodyparser'
import { Router, type RouterMiddleware } from '@koa/router'
import type { BindingServer } from '@retryproof/conformance/http'
import { type Answer, bindingApp, type Route } from '@retryproof/conformance/http/app'
import type { IdempotencyStore } from '@retryproof/core'
import Koa, { type Context, type Middleware } from 'koa'
import compress from 'koa-compress'
import Koa2 from 'koa2'
import { listening } from '../../http/test/node/app.ts'
import { attemptOf, idempotent, serveStatus } from '../src/index.ts'

export const versions: [string, typeof Koa][] = [
  ['Koa 3', Koa],
  ['Koa 2', Koa2],
]

export function serve(
  store: IdempotencyStore<unknown>,
  Framework: typeof Koa = Koa,
  protocol?: BindingServer['protocol'],
): Promise<BindingServer> {
  return listening(koaApp(Framework, store).callback(), protocol)
}

function koaApp(Framework: typeof Koa, store: IdempotencyStore<unknown>): Koa {
  const app = bindingApp<Context>({ store, header: (ctx, name) => ctx.get(name) || undefined })
  const server = new Framework()
  server.silent = true
  server.use(async (ctx, next) => {
    for (const [name, value] of app.before()) ctx.set(name, value)
    const status = app.refuses((name) => ctx.get(name))
    if (status === undefined) await next()
    else ctx.status = status
  })
  const routers = new Map<string | undefined, Router>()
  for (const route of app.routes) {
    const { method, prefix, path } = route
    const router = routers.get(prefix) ?? new Router(prefix ? { prefix } : {})
    routers.set(prefix, router)
    router.register(path, [method], stackOf(route) as RouterMiddleware[])
  }
  const status = new Router().get(`${app.status.path}/:id`, serveStatus(app.status.resource) as RouterMiddleware)
  for (const router of [status, ...routers.values()]) server.use(router.routes() as Middleware)
  return server
}

/** The handlers of a route, in order. A handler that writes in a transaction is given to the binding. */
function stackOf(route: Route<Context>): Middleware[] {
  const { guard, transaction, compression, timeout } = route
  const handler: Middleware = (ctx) => run(route, ctx)
  const parser = bodyParser({
    // this error has no status where a coding cannot be undone
    onError: (error, ctx) => ctx.throw(400, error),
  }) as Middleware
  const compressed = compress({ threshold: 0, br: false }) as Middleware
  if (!guard) return [handler]
  const { idempotency, options, outer } = guard
  if (transaction) {
    return [parser, idempotent(idempotency, { ...options, transaction }, (ctx, { tx }) => run(route, ctx, tx))]
  }
  const binding = idempotent(idempotency, options)
  // once the answer has left, nobody can read the request any more
  if (options.respond) return [parser, binding, handler]
  if (timeout) return [timeOut(timeout), binding, parser, handler]
  if (compression === 'outside') return [compressed, binding, parser, handler]
  const guards = outer ? [idempotent(idempotency, outer), binding] : [binding]
  return [...guards, ...(compression === 'inside' ? [compressed] : []), parser, handler]
}

function timeOut(timeout: (id: string) => Promise<void>): Middleware {
  return (ctx, next) => Promise.race([next(), timeout(ctx.get('x-case')).then(() => ctx.throw(503))])
}

async function run({ handle }: Route<Context>, ctx: Context, tx?: unknown): Promise<void> {
  const answer = await handle({
    attempt: attemptOf(ctx),
    tx,
    header: (name) => ctx.get(name),
    response: ctx.res,
    body: () => bodyOf(ctx),
    clientGone: () => new Promise((resolve) => ctx.req.socket.once('close', () => resolve())),
  })
  give(ctx, answer)
}

async function bodyOf(ctx: Context): Promise<unknown> {
  const { body } = ctx.request as { body?: unknown }
  // `ctx.is` finds no body over HTTP/2 without a length
  if (ctx.get('content-type') === 'application/json') return body
  return Uint8Array.from(Buffer.concat(await ctx.req.toArray()))
}

function give(ctx: Context, answer: Answer): void {
  if ('fails' in answer) ctx.throw(answer.fails, 'as it was told')
  if ('redirect' in answer) {
    ctx.redirect(answer.redirect)
    ctx.status = answer.status
    return
  }
  const { status, headers = [], removes = [], body, raw, throwsAfterwards } = answer
  if (raw) {
    ctx.respond = false
    if (typeof raw === 'function') raw(ctx.res)
    else ctx.res.writeHead(status, [...headers.flat()]).end(body && 'text' in body ? body.text : '')
    return
  }
  ctx.status = status
  for (const name of removes) ctx.remove(name)
  for (const [name, value] of headers) ctx.append(name, value)
  if (body && 'json' in body) ctx.body = body.json
  else if (body && 'text' in body) ctx.body = body.text
  else if (body && 'bytes' in body) ctx.body = Buffer.from(body.bytes)
  else if (body) ctx.body = Readable.from(body.chunks, { objectMode: false })
  if (throwsAfterwards) throw new Error('too late')
}
