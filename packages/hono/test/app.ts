/** The application of the suite on Hono. */
import { type Answer, bindingApp, type Route } from '@retryproof/conformance/http/app'
import type { IdempotencyStore } from '@retryproof/core'
import { memoryStore } from '@retryproof/memory'
import { type Context, type Handler, Hono, type MiddlewareHandler } from 'hono'
import { compress } from 'hono/compress'
import { HTTPException } from 'hono/http-exception'
import type { ContentfulStatusCode, RedirectStatusCode, StatusCode } from 'hono/utils/http-status'
import type { CreateApp } from '../../../conformance/test/runtimes/app.ts'
import { idempotent, serveStatus } from '../src/index.ts'

export const createApp: CreateApp = () => {
  const { fetch } = honoApp(memoryStore())
  return (request, lifetime) => fetch(request, {}, lifetime)
}

export function honoApp(store: IdempotencyStore<unknown>): Hono {
  const app = bindingApp<Context>({ store, header: ({ req }, name) => req.header(name) })
  const server = new Hono()
  const routers = new Map<string, Hono>()
  server.use(async (c, next) => {
    for (const [name, value] of app.before()) c.header(name, value)
    const status = app.refuses((name) => c.req.header(name))
    if (status !== undefined) return c.body(null, status as StatusCode)
    await next()
  })
  server.onError((error, c) => {
    if (!(error instanceof HTTPException)) return c.text('Internal Server Error', 500)
    const response = error.getResponse()
    return c.newResponse(response.body, response)
  })
  for (const route of app.routes) {
    const { method, prefix, path } = route
    const router = prefix ? (routers.get(prefix) ?? new Hono()) : server
    if (prefix) routers.set(prefix, router)
    // Hono asks the handlers of GET for HEAD
    router.on(method === 'HEAD' ? 'GET' : method, path, ...stackOf(route))
  }
  for (const [prefix, router] of routers) server.route(prefix, router)
  server.get(`${app.status.path}/:id`, serveStatus(app.status.resource))
  return server
}

/** The handlers of a route, in order. A handler that writes in a transaction is given to the binding. */
function stackOf(route: Route<Context>): [MiddlewareHandler | Handler, ...MiddlewareHandler[]] {
  const { guard, transaction, compression, timeout } = route
  const handler: MiddlewareHandler = (c) => run(route, c)
  if (!guard) return [handler]
  const { idempotency, options, outer } = guard
  if (transaction) return [idempotent(idempotency, { ...options, transaction }, (c, { tx }) => run(route, c, tx))]
  const binding = idempotent(idempotency, options)
  if (timeout) return [timeOut(timeout), binding, handler]
  if (compression === 'outside') return [compress({ threshold: 0 }), binding, handler]
  if (compression === 'inside') return [binding, compress({ threshold: 0 }), handler]
  if (outer) return [idempotent(idempotency, outer), binding, handler]
  return [binding, handler]
}

/** As `hono/timeout` does it. */
function timeOut(timeout: (id: string) => Promise<void>): MiddlewareHandler {
  return (c, next) => {
    const passed = timeout(c.req.header('x-case') ?? '').then(() => {
      throw new HTTPException(503)
    })
    return Promise.race([next(), passed])
  }
}

async function run({ handle }: Route<Context>, c: Context, tx?: unknown): Promise<Response> {
  const answer = await handle({
    attempt: c.get('idempotency'),
    tx,
    header: (name) => c.req.header(name),
    body: async () => {
      if (c.req.header('content-type') === 'application/json') return c.req.json()
      return new Uint8Array(await c.req.arrayBuffer())
    },
    clientGone: () => new Promise((resolve) => c.req.raw.signal.addEventListener('abort', () => resolve())),
  })
  return responseOf(c, answer)
}

function responseOf(c: Context, answer: Answer): Response {
  if ('fails' in answer) throw new HTTPException(answer.fails as ContentfulStatusCode, { message: 'as it was told' })
  if ('redirect' in answer) return c.redirect(answer.redirect, answer.status as RedirectStatusCode)
  const { body, removes = [] } = answer
  const status = answer.status as ContentfulStatusCode
  for (const name of removes) c.header(name, undefined)
  for (const [name, value] of answer.headers ?? []) c.header(name, value, { append: true })
  if (!body) return c.body(null, answer.status as StatusCode)
  if ('json' in body) return c.json(body.json as object, status)
  if ('text' in body) return c.text(body.text, status)
  if ('bytes' in body) return c.body(new Uint8Array(body.bytes), status)
  const pieces = body.chunks[Symbol.asyncIterator]()
  const stream = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { done, value } = await pieces.next()
      if (done) controller.close()
      else controller.enqueue(value)
    },
  })
  return c.body(stream, status)
}
