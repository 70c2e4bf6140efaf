/** Tests of Hono's own features: its helpers, contexts and routes. */
import { createIdempotency, IdempotencyInvalidOptionError, unscoped } from '@retryproof/core'
import type { HttpOptions } from '@retryproof/http'
import { preconditionFailed } from '@retryproof/http/precondition'
import { memoryStore } from '@retryproof/memory'
import { type Context, Hono } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { cors } from 'hono/cors'
import { etag } from 'hono/etag'
import { html } from 'hono/html'
import { streamSSE, streamText } from 'hono/streaming'
import { validator } from 'hono/validator'
import { describe, expect, it } from 'vitest'
import { type IdempotentHandler, idempotent } from '../src/index.ts'

function testApp() {
  const app = new Hono()
  const idempotency = createIdempotency({ store: memoryStore(), namespace: 'test' })
  const operations: string[] = []
  idempotency.on('completed', ({ operation }) => operations.push(operation))
  return {
    app,
    operations,
    guard: (options: Partial<HttpOptions<Context>> = {}, handler?: IdempotentHandler) =>
      idempotent(idempotency, { scope: unscoped, ...options }, handler),
    post: (path: string, init: RequestInit = {}) =>
      app.request(path, { method: 'POST', ...init, headers: { 'Idempotency-Key': 'k1', ...init.headers } }),
  }
}

async function seen(response: Response) {
  const { 'idempotency-replayed': replayed, 'transfer-encoding': _, ...headers } = Object.fromEntries(response.headers)
  const { status } = response
  return { status, headers, body: Buffer.from(await response.arrayBuffer()).toString('hex'), replayed }
}

describe('an answer of Hono', () => {
  const answers: [string, (c: Context) => Response | Promise<Response>][] = [
    ['json()', (c) => c.json({ id: 1 }, 201, { 'X-Own': 'a' })],
    ['json() of nothing', (c) => c.json(null)],
    ['json() with an init', (c) => c.json({ id: 1 }, { status: 202, headers: { 'X-Own': 'a' } })],
    ['json() of another type', (c) => c.json({ id: 1 }, 200, { 'Content-Type': 'application/hal+json' })],
    ['text()', (c) => c.text('Zoë')],
    ['text() after status()', (c) => [c.status(201), c.text('Zoë')][1] as Response],
    ['html()', (c) => c.html('<p>Zoë</p>')],
    ['html() of a promise', (c) => c.html(html`<p>${Promise.resolve('Zoë')}</p>`)],
    ['render()', (c) => c.render('rendered')],
    ['body() of bytes', (c) => c.body(Uint8Array.from([0, 255, 254]))],
    ['body() of a buffer', (c) => c.body(Uint8Array.from([0, 255, 254]).buffer)],
    ['body() of a stream', (c) => c.body(new Blob([Uint8Array.from([0, 255, 254])]).stream())],
    ['body() of nothing', (c) => c.body(null, 204)],
    ['newResponse()', (c) => c.newResponse('text', 201, { 'X-Own': 'a' })],
    ['redirect()', (c) => c.redirect('/charges/1', 303)],
    ['notFound()', (c) => c.notFound()],
    ['a Response', () => Response.json({ id: 1 }, { status: 201 })],
    [
      'header()',
      (c) => [c.header('Link', '<a>'), c.header('Link', '<b>', { append: true }), c.text('')][2] as Response,
    ],
    ['streamText()', (c) => streamText(c, async (stream) => void (await stream.write('written')))],
  ]

  it.each(answers)('is what it is without a guard, first and again: %s', async (_name, answer) => {
    const { app, guard, post } = testApp()
    app.post('/bare', (c) => answer(c))
    app.post('/guarded', guard(), (c) => answer(c))
    const bare = await seen(await post('/bare'))
    const [first, again] = [await seen(await post('/guarded')), await seen(await post('/guarded'))]
    expect(first).toEqual(bare)
    expect(again).toEqual({ ...bare, replayed: 'true' })
  })

  it('keeps what it was, where its bytes are used for another', async () => {
    const { app, guard, post } = testApp()
    const shared = Uint8Array.from([1])
    app.post('/charges', guard(), (c) => {
      const response = c.body(shared)
      shared[0] = 2
      return response
    })
    await post('/charges')
    expect([...new Uint8Array(await (await post('/charges')).arrayBuffer())]).toEqual([1])
  })

  it('is not taken for another that the handler made and dropped', async () => {
    const { app, guard, post } = testApp()
    app.post('/charges', guard(), (c) => {
      const answer = c.text('the answer')
      c.text('dropped')
      return answer
    })
    await post('/charges')
    expect(await (await post('/charges')).text()).toBe('the answer')
  })

  it('has the CORS headers of each request, and passes through middleware outside', async () => {
    const { app, guard, post } = testApp()
    app.use(etag(), cors({ origin: (origin) => origin, credentials: true }))
    app.post('/charges', guard(), (c) => c.json({ id: 1 }, 201))
    const [first, again] = [
      await post('/charges', { headers: { Origin: 'https://a.test' } }),
      await post('/charges', { headers: { Origin: 'https://b.test' } }),
    ]
    const origins = [first, again].map(({ headers }) => headers.get('access-control-allow-origin'))
    expect(origins).toEqual(['https://a.test', 'https://b.test'])
    expect([again.headers.get('idempotency-replayed'), again.headers.get('etag')]).toEqual([
      'true',
      first.headers.get('etag'),
    ])
    expect(await again.json()).toEqual({ id: 1 })
  })

  it('has the CORS headers of each request where a given handler makes its own response', async () => {
    const { app, guard, post } = testApp()
    app.use(cors({ origin: (origin) => origin, credentials: true, exposeHeaders: ['Location'] }))
    const made = () => new Response('made', { status: 201, headers: { Location: '/charges/1' } })
    app.post('/bare', made)
    app.post('/charges', guard({}, made))
    const init = { headers: { Origin: 'https://a.test' } }
    const answers = [await post('/bare', init), await post('/charges', init), await post('/charges', init)]
    const seen = answers.map(({ status, headers }) => {
      const { 'idempotency-replayed': _, ...others } = Object.fromEntries(headers)
      return { status, ...others }
    })
    expect(seen[0]).toMatchObject({ 'access-control-allow-origin': 'https://a.test', location: '/charges/1' })
    expect(seen.slice(1)).toEqual([seen[0], seen[0]])
  })

  it('is an event stream while it is made', async () => {
    const { app, guard, post } = testApp()
    app.post('/events', guard(), (c) =>
      streamSSE(c, async (stream) => {
        await stream.writeSSE({ data: 'one' })
        await stream.writeSSE({ data: 'two' })
      }),
    )
    expect(await (await post('/events')).text()).toBe('data: one\n\ndata: two\n\n')
    expect((await post('/events')).status).toBe(410)
  })

  it('is what a failed precondition says, thrown in whichever handler', async () => {
    const { app, guard, post } = testApp()
    app.use(cors()).onError((_error, c) => c.text('', 500))
    const fail = () => Promise.reject(preconditionFailed())
    app.post('/after', guard(), fail)
    app.post('/given', guard({}, fail))
    const answers = [await post('/after'), await post('/given')]
    expect(answers.map(({ status }) => status)).toEqual([412, 412])
    expect(answers.map(({ headers }) => headers.get('access-control-allow-origin'))).toEqual(['*', '*'])
  })
})

describe('a request of Hono', () => {
  const body = '{"amount":1}'
  const json = { body, headers: { 'Content-Type': 'application/json' } }

  it.each<[string, (c: Context) => Promise<unknown>, unknown]>([
    ['json()', (c) => c.req.json(), { amount: 1 }],
    ['text()', (c) => c.req.text(), body],
    ['arrayBuffer()', async (c) => Buffer.from(await c.req.arrayBuffer()).toString(), body],
    ['parseBody()', (c) => c.req.parseBody(), {}],
  ])('is read once more by its handler: %s', async (_name, read, expected) => {
    const { app, guard, post } = testApp()
    app.post('/charges', guard(), async (c) => c.json((await read(c)) as object))
    expect(await (await post('/charges', json)).json()).toEqual(expected)
  })

  it('counts the same, whoever reads it first', async () => {
    const { app, guard, post } = testApp()
    const read = validator('json', (value) => value as { amount: number })
    app.post('/charges/:order', bodyLimit({ maxSize: 100 }), async (c, next) => {
      if (c.req.param('order') === 'first') await c.req.json()
      await next()
    })
    app.post('/charges/first', guard({ operation: 'charge' }), read, (c) => c.json(c.req.valid('json')))
    app.post('/charges/last', read, guard({ operation: 'charge' }), (c) => c.json(c.req.valid('json')))
    for (const order of ['first', 'last']) {
      const path = `/charges/${order}`
      const key = { 'Idempotency-Key': order }
      const ask = (text: string) => post(path, { body: text, headers: { ...json.headers, ...key } })
      expect([
        (await ask(body)).status,
        (await ask('{ "amount": 1 }')).status,
        (await ask('{"amount":2}')).status,
      ]).toEqual([200, 200, 422])
    }
  })

  it('has an attempt, for handlers that come after and for one that is given', async () => {
    const { app, guard, post } = testApp()
    app.post('/after', guard(), (c) => c.json(c.get('idempotency')?.number))
    app.post(
      '/given',
      guard({}, (c, { attempt }) => c.json(attempt?.number)),
    )
    expect([await (await post('/after')).json(), await (await post('/given')).json()]).toEqual([1, 1])
  })
})

describe('a route of Hono', () => {
  it('is its method and full pattern', async () => {
    const { app, guard, post, operations } = testApp()
    const inner = new Hono()
    inner.post('/:id/refunds', guard(), (c) => c.text(''))
    app.route('/v1/orders', inner)
    app.basePath('/v2').post('/files/*', guard(), (c) => c.text(''))
    app.use('/exact', guard())
    app.post('/exact', (c) => c.text(''))
    for (const path of ['/v1/orders/7/refunds', '/v2/files/a/b', '/exact']) await post(path)
    expect(operations).toEqual(['POST /v1/orders/:id/refunds', 'POST /v2/files/*', 'POST /exact'])
  })

  it('has to be named for middleware before several', async () => {
    const { app, guard, post, operations } = testApp()
    const errors: unknown[] = []
    app.onError((error, c) => {
      errors.push(error)
      return c.text('', 500)
    })
    app.use('/unnamed/*', guard())
    app.use('/named/*', guard({ operation: ({ req }) => `charge ${req.path}` }))
    app.post('/*', (c) => c.text(''))
    expect([(await post('/unnamed/a')).status, (await post('/named/a')).status]).toEqual([500, 200])
    expect(errors).toEqual([expect.any(IdempotencyInvalidOptionError)])
    expect(operations).toEqual(['charge /named/a'])
  })
})
