/** `c.req.raw` behind the guard: on a server of Node over HTTP/1.1 and HTTP/2, and by `app.request()`. */
import { once } from 'node:events'
import { connect, createServer as createHttp2Server, type Http2Server } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { serve } from '@hono/node-server'
import { type Context, Hono } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { methodOverride } from 'hono/method-override'
import { proxy } from 'hono/proxy'
import { validator } from 'hono/validator'
import { afterEach, describe, expect, it } from 'vitest'
import { setUp } from './set-up.ts'

const closers: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closers.splice(0)) await close()
})

type Send = (path: string, body: string, key?: string) => Promise<{ status: number; body: string; replayed: boolean }>

const json = 'application/json'

async function overHttp1(app: Hono): Promise<Send> {
  const server = serve({ fetch: app.fetch, port: 0 })
  closers.push(() => server.close())
  await once(server, 'listening')
  const url = `http://localhost:${(server.address() as AddressInfo).port}`
  return async (path, body, key = 'k1') => {
    const headers = { 'Idempotency-Key': key, 'Content-Type': json }
    const response = await fetch(url + path, { method: 'POST', body, headers })
    return {
      status: response.status,
      body: await response.text(),
      replayed: response.headers.has('Idempotency-Replayed'),
    }
  }
}

async function overHttp2(app: Hono): Promise<Send> {
  const server = serve({ fetch: app.fetch, port: 0, createServer: createHttp2Server }) as Http2Server
  await once(server, 'listening')
  const client = connect(`http://localhost:${(server.address() as AddressInfo).port}`)
  closers.push(() => {
    client.destroy()
    server.close()
  })
  // without a content length, as browsers may send it
  return async (path, body, key = 'k1') => {
    const stream = client.request({ ':method': 'POST', ':path': path, 'idempotency-key': key, 'content-type': json })
    stream.end(body)
    const [headers] = (await once(stream, 'response')) as [Record<string, string>]
    const replayed = headers['idempotency-replayed'] === 'true'
    return { status: Number(headers[':status']), body: await text(stream), replayed }
  }
}

async function byRequest(app: Hono): Promise<Send> {
  return async (path, body, key = 'k1') => {
    const headers = { 'Idempotency-Key': key, 'Content-Type': json }
    const response = await app.request(path, { method: 'POST', body, headers })
    return {
      status: response.status,
      body: await response.text(),
      replayed: response.headers.has('Idempotency-Replayed'),
    }
  }
}

const body = '{"amount":1}'

describe.each([
  ['HTTP/1.1', overHttp1],
  ['HTTP/2', overHttp2],
  ['app.request()', byRequest],
])('over %s', (_, open) => {
  const readers: [string, (c: Context) => Promise<string>][] = [
    ['raw.text()', (c) => c.req.raw.text()],
    ['raw.json()', async (c) => JSON.stringify(await c.req.raw.json())],
    ['raw.arrayBuffer()', async (c) => Buffer.from(await c.req.raw.arrayBuffer()).toString()],
    ['raw.body', async (c) => text(c.req.raw.body as unknown as AsyncIterable<Uint8Array>)],
    ['raw.clone()', (c) => c.req.raw.clone().text()],
    ['new Request(raw)', (c) => new Request(c.req.raw).text()],
    ['arrayBuffer()', async (c) => Buffer.from(await c.req.arrayBuffer()).toString()],
    ['blob()', async (c) => (await c.req.blob()).text()],
    ['json()', async (c) => JSON.stringify(await c.req.json())],
  ]

  it.each(readers)('%s reads the body, and another body is another request', async (_name, read) => {
    const { app, guard } = setUp()
    app.post('/x', guard(), async (c) => c.text(await read(c)))
    const send = await open(app)
    expect(await send('/x', body)).toEqual({ status: 200, body, replayed: false })
    expect(await send('/x', body)).toEqual({ status: 200, body, replayed: true })
    expect((await send('/x', '{"amount":2}')).status).toBe(422)
  })

  it('an empty body is empty', async () => {
    const { app, guard } = setUp()
    app.post('/x', guard(), async (c) => c.text(`${(await c.req.raw.text()).length}`))
    const send = await open(app)
    expect(await send('/x', '')).toEqual({ status: 200, body: '0', replayed: false })
  })

  it('a mounted application, a proxy and a body limit read it too', async () => {
    const { app, guard } = setUp((application) => application.onError((error, c) => c.text(error.message, 500)))
    const upstream = new Hono()
    upstream.post('/up', async (c) => c.text(`up ${await c.req.text()}`))
    app.use('/mounted/*', guard({ operation: 'm' }))
    app.mount('/mounted', async (request: Request) => new Response(`mounted ${await request.text()}`))
    app.post('/proxy', guard(), (c) =>
      proxy('http://upstream.test/up', {
        ...c.req,
        raw: c.req.raw,
        customFetch: async (request) => upstream.fetch(request),
      }),
    )
    app.post('/limit', guard(), bodyLimit({ maxSize: 100 }), async (c) => c.text(await c.req.text()))
    app.post('/limited', bodyLimit({ maxSize: 100 }), guard(), async (c) => c.text(await c.req.raw.text()))
    app.post(
      '/valid',
      guard(),
      validator('json', (value) => value as object),
      async (c) => c.text(JSON.stringify(c.req.valid('json'))),
    )
    const send = await open(app)
    for (const [path, prefix] of [
      ['/mounted/x', 'mounted '],
      ['/proxy', 'up '],
      ['/limit', ''],
      ['/limited', ''],
      ['/valid', ''],
    ] as const) {
      expect([path, await send(path, body)]).toEqual([path, { status: 200, body: prefix + body, replayed: false }])
      expect([path, await send(path, body)]).toEqual([path, { status: 200, body: prefix + body, replayed: true }])
    }
  })

  it('a body over the limit is refused, and leaves the connection to the next request', async () => {
    const { app, guard } = setUp()
    app.post('/x', guard({ maxRequestBytes: 100 }), (c) => c.text('ran'))
    const send = await open(app)
    expect((await send('/x', 'x'.repeat(100_000))).status).toBe(413)
    expect((await send('/x', 'x', 'k2')).status).toBe(200)
  })
})

it('method-override reads a form behind the guard', async () => {
  const { app, guard, post } = setUp()
  app.use('/x', guard({ operation: 'form' }), methodOverride({ app }))
  app.delete('/x', (c) => c.text('deleted'))
  const headers = { 'Content-Type': 'application/x-www-form-urlencoded' }
  expect(await (await post('/x', { body: '_method=DELETE', headers })).text()).toBe('deleted')
})
