/** Tests of Koa's own features: bodies of any kind, layers outside, routers and mounts. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable, Stream } from 'node:stream'
import { bodyParser } from '@koa/bodyparser'
import { Router, type RouterMiddleware } from '@koa/router'
import { closedAfterEach } from '@retryproof/conformance/test-tools/closed-after-each'
import { createIdempotency, IdempotencyInvalidOptionError, unscoped } from '@retryproof/core'
import { isPlain } from '@retryproof/core/internal'
import type { RecordStore } from '@retryproof/core/store'
import type { HttpOptions } from '@retryproof/http'
import { preconditionFailed } from '@retryproof/http/precondition'
import { memoryStore } from '@retryproof/memory'
import type Koa from 'koa'
import type { Context, Middleware } from 'koa'
import mount from 'koa-mount'
import { Readable as OtherReadable } from 'readable-stream'
import { describe, expect, it } from 'vitest'
import { deferred } from '../../http/test/deferred.ts'
import { attemptOf, type IdempotentHandler, idempotent } from '../src/index.ts'
import { versions } from './app.ts'

const servers = closedAfterEach()

/** A stream as before Node 0.10: events, and no other way to read it. */
function firstStream(...pieces: readonly string[]): Stream {
  const stream = Object.assign(new Stream(), { readable: true })
  setImmediate(() => {
    for (const piece of pieces) stream.emit('data', piece)
    stream.emit('end')
  })
  return stream
}

async function seen(response: Response) {
  const { 'idempotency-replayed': replayed, date: _, ...headers } = Object.fromEntries(response.headers)
  for (const name of ['connection', 'keep-alive', 'transfer-encoding', 'content-length']) delete headers[name]
  const { status } = response
  return { status, headers, body: Buffer.from(await response.arrayBuffer()).toString('hex'), replayed }
}

describe.each(versions)('on %s', (version, Framework: typeof Koa) => {
  function testApp(store: RecordStore = memoryStore()) {
    const app = new Framework()
    app.silent = true
    const router = new Router()
    const idempotency = createIdempotency({ store, namespace: 'test' })
    const operations: string[] = []
    idempotency.on('completed', ({ operation }) => operations.push(operation))
    let listening: Promise<number> | undefined
    async function listen(): Promise<number> {
      app.use(router.routes() as Middleware)
      const server = createServer(app.callback())
      servers.add(server)
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      return (server.address() as AddressInfo).port
    }
    return {
      app,
      router,
      operations,
      guard: (options: Partial<HttpOptions<Context>> = {}, handler?: IdempotentHandler) =>
        idempotent(idempotency, { scope: unscoped, ...options }, handler) as RouterMiddleware,
      async post(path: string, init: RequestInit = {}) {
        listening ??= listen()
        const url = `http://127.0.0.1:${await listening}${path}`
        const headers = { 'Idempotency-Key': 'k1', ...init.headers }
        return fetch(url, { method: 'POST', redirect: 'manual', ...init, headers })
      },
    }
  }

  it('leaves an answer as it is where an error comes while it is recorded, such as that of a stream which was replaced', async () => {
    const store = memoryStore()
    const answered = deferred<Context>()
    const { app, router, guard, post } = testApp({
      ...store,
      async transition(...change) {
        const ctx = await answered.promise
        ctx.onerror(new Error('late'))
        return store.transition(...change)
      },
    })
    const told: unknown[] = []
    app.on('error', ({ message }: Error) => told.push(message))
    router.post('/', guard(), (ctx) => {
      ctx.set('X-One', '1')
      ctx.body = 'fine'
      answered.resolve(ctx)
    })
    const first = await post('/')
    expect([first.status, first.headers.get('x-one'), await first.text()]).toEqual([200, '1', 'fine'])
    expect(await (await post('/')).text()).toBe('fine')
    expect(told).toEqual(['late'])
  })

  const bodies: [string, (ctx: Context) => unknown][] = [
    ['an object', (ctx) => Object.assign(ctx, { status: 201, body: { id: 1 } })],
    ['a text', (ctx) => Object.assign(ctx, { body: 'Zoë' })],
    ['HTML', (ctx) => Object.assign(ctx, { body: '<p>Zoë</p>' })],
    ['an empty text', (ctx) => Object.assign(ctx, { body: '' })],
    ['a buffer', (ctx) => Object.assign(ctx, { body: Buffer.from([0, 255]) })],
    ['a stream', (ctx) => Object.assign(ctx, { type: 'text/plain', body: Readable.from(['one ', 'two']) })],
    [
      'a stream of the first kind',
      (ctx) => Object.assign(ctx, { type: 'text/plain', body: firstStream('one ', 'two') }),
    ],
    ['null', (ctx) => Object.assign(ctx, { body: null })],
    ['a status alone', (ctx) => Object.assign(ctx, { status: 202 })],
    ['no content', (ctx) => Object.assign(ctx, { status: 204 })],
    ['a redirect', (ctx) => ctx.redirect('/charges/1')],
    ['JSON that Koa did not write', (ctx) => Object.assign(ctx, { type: 'json', body: '{ "id":1 }' })],
    ['a list of headers', (ctx) => [ctx.set('Link', ['<a>', '<b>']), Object.assign(ctx, { body: 'a' })]],
    ['raw', (ctx) => Object.assign(ctx, { respond: false }).res.writeHead(201, { 'X-Own': 'a' }).end('raw')],
    ['raw, with Koa after it', (ctx) => ctx.res.writeHead(201, { 'X-Own': 'a' }).end('raw')],
    ['an error with a status', (ctx) => ctx.throw(402, 'no funds')],
    ['nothing', () => undefined],
  ]
  const ofKoa3: [string, (ctx: Context) => unknown][] = [
    ['a blob', (ctx) => Object.assign(ctx, { body: new Blob(['one ', 'two'], { type: 'text/plain' }) })],
    ['a web stream', (ctx) => Object.assign(ctx, { type: 'text/plain', body: new Blob(['one']).stream() })],
    [
      'a stream that is none of Node',
      (ctx) => Object.assign(ctx, { type: 'text/plain', body: OtherReadable.from(['a', 'b']) }),
    ],
    ['a Response', (ctx) => Object.assign(ctx, { body: Response.json({ id: 1 }, { status: 201 }) })],
  ]

  const outside: Middleware[] = [
    (_ctx, next) => next(),
    function typed(ctx, next) {
      ctx.set('Content-Type', 'text/csv; charset=utf-16')
      return next()
    },
    async function louder(ctx, next) {
      await next()
      if (typeof ctx.body === 'string') ctx.body = ctx.body.toUpperCase()
    },
    async function enveloped(ctx, next) {
      try {
        await next()
        const isData = typeof ctx.body === 'object' && ctx.body !== null && isPlain(ctx.body)
        ctx.body = isData ? { data: ctx.body } : ctx.body
      } catch (error) {
        ctx.status = error instanceof Error && 'status' in error ? Number(error.status) : 500
        ctx.body = { error: String(error) }
      }
    },
  ]
  const answers = version === 'Koa 3' ? [...bodies, ...ofKoa3] : bodies

  it.each(outside.flatMap((layer) => answers.map(([name, answer]) => [name, layer.name, answer, layer] as const)))(
    'an answer is what it is without a guard, first and again: %s %s',
    async (_name, _layer, answer, layer) => {
      const { app, router, guard, post } = testApp()
      app.use(layer)
      const handler = async (ctx: Context) => void (await answer(ctx))
      router.post('/bare', handler as RouterMiddleware)
      router.post('/after', guard(), handler as RouterMiddleware)
      router.post('/given', guard({}, answer))
      const bare = await seen(await post('/bare'))
      for (const path of ['/after', '/given']) {
        expect(await seen(await post(path))).toEqual(bare)
        expect(await seen(await post(path))).toEqual({ ...bare, replayed: 'true' })
      }
    },
  )

  it('a replay has every value of a header, of before the guard and behind it', async () => {
    const { app, router, guard, post } = testApp()
    app.use((ctx, next) => {
      ctx.append('Link', '</a>')
      return next()
    })
    router.post('/charges', guard(), async (ctx) => {
      ctx.append('Link', '</b>')
      ctx.body = 'charged'
    })
    for (let sent = 0; sent < 2; sent++) expect((await post('/charges')).headers.get('link')).toBe('</a>, </b>')
  })

  it('layers outside do to a replay what they did to the first answer', async () => {
    const { app, router, guard, post } = testApp()
    app.use(async (ctx, next) => {
      await next()
      if (ctx.status === 404 && !ctx.body) ctx.body = { none: true }
      else ctx.body = { data: ctx.body as unknown }
    })
    router.post('/charges', guard(), async (ctx) => {
      ctx.body = { id: 1 }
    })
    for (let sent = 0; sent < 2; sent++) expect(await (await post('/charges')).json()).toEqual({ data: { id: 1 } })
  })

  it('an answer is what a layer outside makes of an error', async () => {
    const { app, router, guard, post } = testApp()
    let runs = 0
    app.use(async (ctx, next) => {
      try {
        await next()
      } catch (error) {
        ctx.status = 402
        ctx.body = { told: (error as Error).message }
      }
    })
    router.post('/charges', guard(), async () => {
      runs++
      throw new Error('no funds')
    })
    for (let sent = 0; sent < 2; sent++) {
      const answer = await post('/charges')
      expect([answer.status, await answer.json()]).toEqual([402, { told: 'no funds' }])
    }
    expect(runs).toBe(1)
  })

  it('an answer is what a failed precondition says, thrown in whichever handler', async () => {
    const { router, guard, post } = testApp()
    const fail = () => Promise.reject(preconditionFailed())
    router.post('/after', guard(), fail)
    router.post('/given', guard({}, fail))
    for (const path of ['/after', '/given']) {
      const answer = await post(path)
      expect([answer.status, answer.headers.get('content-type')]).toEqual([412, 'application/problem+json'])
    }
  })

  it('a body counts the same, with its parser before or after', async () => {
    const { router, guard, post } = testApp()
    const parser = bodyParser() as RouterMiddleware
    const echo: RouterMiddleware = async (ctx) => {
      ctx.body = (ctx.request as { body?: object }).body
    }
    router.post('/before', parser, guard(), echo)
    router.post('/after', guard(), parser, echo)
    for (const path of ['/before', '/after']) {
      const statuses: number[] = []
      for (const body of ['{"id":9007199254740992}', '{ "id": 9007199254740992 }', '{"id":9007199254740993}']) {
        statuses.push((await post(path, { body, headers: { 'Content-Type': 'application/json' } })).status)
      }
      // integers that large count by all their digits
      expect(statuses).toEqual([200, 200, 422])
    }
  })

  it('the attempt is known, to handlers that come after and to one that is given', async () => {
    const { router, guard, post } = testApp()
    router.post('/after', guard(), async (ctx) => {
      ctx.body = { number: attemptOf(ctx as Context)?.number }
    })
    router.post(
      '/given',
      guard({}, (ctx, { attempt }) => {
        ctx.body = { number: attempt?.number }
      }),
    )
    for (const path of ['/after', '/given']) expect(await (await post(path)).json()).toEqual({ number: 1 })
  })

  it('the operation is method and full pattern, prefixes and mounts included', async () => {
    const { app, router, guard, post, operations } = testApp()
    const created: RouterMiddleware = async (ctx) => {
      ctx.status = 201
    }
    const inner = new Router({ prefix: '/orders' }).post('/:id/refunds', guard(), created)
    router.use('/v1/:tenant', inner.routes())
    const mounted = new Framework().use(new Router().post('/charges', guard(), created).routes() as Middleware)
    const outer = new Framework().use(mount('/b', mounted))
    app.use(mount('/a', outer))
    for (const path of ['/v1/acme/orders/7/refunds', '/a/b/charges']) await post(path)
    expect(operations).toEqual(['POST /v1/:tenant/orders/:id/refunds', 'POST /a/b/charges'])
  })

  it('the operation is told with the host of the router', async () => {
    const { app, guard, post, operations } = testApp()
    const created: RouterMiddleware = async (ctx) => {
      ctx.status = 201
    }
    app.use(async (ctx, next) => {
      ctx.req.headers.host = ctx.get('x-host')
      await next()
    })
    for (const host of ['a.example.com', 'b.example.com']) {
      app.use(new Router({ host }).post('/charges', guard(), created).routes() as Middleware)
    }
    for (const host of ['a.example.com', 'b.example.com']) await post('/charges', { headers: { 'X-Host': host } })
    expect(operations).toEqual(['POST //a.example.com/charges', 'POST //b.example.com/charges'])
  })

  it('the method of a route for that alone is guarded, whichever it is', async () => {
    const { app, router, guard, post } = testApp()
    let runs = 0
    const tell: RouterMiddleware = async (ctx) => {
      ctx.body = String(++runs)
    }
    router
      .put('/put', guard(), tell)
      .get('/get', guard(), tell)
      .delete('/given', guard({}, tell as never))
    router.register('/several', ['PUT', 'DELETE'], [guard(), tell])
    router.all('/all', guard(), tell)
    const before = new Router().put('/before/:id', tell)
    app.use((ctx, next) =>
      ctx.path.startsWith('/before') ? (guard({ operation: 'x' }) as never as Middleware)(ctx, next) : next(),
    )
    app.use(before.routes() as Middleware)
    async function twice(method: string, path: string): Promise<boolean> {
      const first = await (await post(path, { method })).text()
      return first === (await (await post(path, { method })).text())
    }
    expect([await twice('PUT', '/put'), await twice('GET', '/get'), await twice('DELETE', '/given')]).toEqual(
      Array(3).fill(true),
    )
    expect([await twice('PUT', '/several'), await twice('PUT', '/all'), await twice('PUT', '/before/1')]).toEqual(
      Array(3).fill(false),
    )
  })

  it('the operation has to be named where the guard stands before several routes', async () => {
    const { app, router, guard, post, operations } = testApp()
    router.use('/before', guard()).post('/before/:id', (ctx) => {
      ctx.status = 201
    })
    const errors: unknown[] = []
    app.on('error', (error) => errors.push(error))
    app.use(async (ctx, next) => {
      const options = ctx.path === '/named' ? { operation: 'charge' } : {}
      if (ctx.path === '/before/7') await next()
      else await (guard(options) as unknown as Middleware)(ctx, next)
    })
    app.use(async (ctx, next) => {
      ctx.status = 201
      await next()
    })
    app.use(router.routes() as Middleware)
    const statuses: number[] = []
    for (const path of ['/named', '/unnamed', '/before/7']) statuses.push((await post(path)).status)
    expect([statuses, operations]).toEqual([[201, 500, 500], ['charge']])
    expect(errors).toEqual([expect.any(IdempotencyInvalidOptionError), expect.any(IdempotencyInvalidOptionError)])
  })

  it('a stream whose client has left is read to its end, and replayed whole', async () => {
    const { router, guard, post } = testApp()
    const begun = deferred()
    const gone = deferred()
    let runs = 0
    async function* pieces() {
      yield 'one '
      begun.resolve()
      await gone.promise
      yield 'two'
    }
    router.post('/stream', guard({ onInProgress: { wait: '20s' } }), async (ctx) => {
      runs++
      ctx.req.socket.once('close', () => gone.resolve())
      ctx.body = Readable.from(pieces(), { objectMode: false })
    })
    const client = new AbortController()
    const first = post('/stream', { signal: client.signal })
    await begun.promise
    client.abort()
    await expect(first).rejects.toThrow()
    const again = await post('/stream')
    expect([again.headers.get('idempotency-replayed'), await again.text(), runs]).toEqual(['true', 'one two', 1])
  })

  it('an event stream that its handler ends by itself is over when it is', async () => {
    const { router, guard, post } = testApp()
    router.post('/events', guard(), async (ctx) => {
      ctx.type = 'text/event-stream'
      ctx.body = Readable.from(['data: 1\n\n', 'data: 2\n\n'])
    })
    expect(await (await post('/events')).text()).toBe('data: 1\n\ndata: 2\n\n')
    expect((await post('/events')).status).toBe(410)
  })
})
