/** The ways in which a handler of Fastify ends and answers: behind the guard as without it. */
import { once } from 'node:events'
import { request } from 'node:http'
import { connect, constants, type Http2ServerRequest } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { createIdempotency, unscoped } from '@retryproof/core'
import { memoryStore } from '@retryproof/memory'
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { afterEach, describe, expect, it } from 'vitest'
import { deferred } from '../../http/test/deferred.ts'
import { idempotent } from '../src/index.ts'

type Handler = (request: FastifyRequest, reply: FastifyReply) => unknown

const apps: FastifyInstance[] = []
afterEach(async () => {
  for (const app of apps.splice(0)) await app.close()
})

const places = ['unguarded', 'after the guard', 'given to the guard'] as const

function appOf(handler: Handler, place: (typeof places)[number] = 'after the guard') {
  const idempotency = createIdempotency({ store: memoryStore(), namespace: 'test' })
  const app = Fastify({ forceCloseConnections: true })
  apps.push(app)
  const counter = { runs: 0 }
  const counted: Handler = (request, reply) => {
    counter.runs++
    return handler(request, reply)
  }
  const options = { scope: unscoped, onInProgress: { wait: '30s' } } as const
  if (place === 'unguarded') app.post('/x', counted as never)
  else if (place === 'after the guard') app.post('/x', idempotent(idempotency, options), counted)
  else app.post('/x', idempotent(idempotency, options, counted))
  const post = (init: { payload?: string; headers?: Record<string, string> } = {}) =>
    app.inject({ method: 'POST', url: '/x', ...init, headers: { 'idempotency-key': 'k', ...init.headers } })
  return { app, post, counter }
}

const webResponse = () =>
  new Response('web', {
    status: 202,
    headers: [
      ['set-cookie', 'a=1'],
      ['set-cookie', 'b=2'],
    ],
  })

/** A response of another realm, such as that of the package undici. */
class OtherResponse {
  readonly [Symbol.toStringTag] = 'Response'
  readonly status = 201
  readonly headers = new Headers({ 'x-other': '1' })
  readonly body = new Blob(['charged']).stream()
  readonly bodyUsed = false
}

const handlers: [string, Handler][] = [
  ['returns nothing, with 204', async (_request, reply) => void reply.code(204)],
  ['returns nothing', async () => undefined],
  ['returns null', async () => null],
  ['returns false', async () => false],
  ['returns an Error', async () => new Error('returned')],
  ['answers later', (_request, reply) => void setImmediate(() => reply.send('late'))],
  ['sends, and returns the reply', async (_request, reply) => reply.send('x')],
  [
    'sends twice',
    (_request, reply) => {
      reply.code(404).send({ error: 1 })
      reply.send({ ok: true })
    },
  ],
  ['gives a web Response with two cookies', async () => webResponse()],
  ['gives a Response of another realm', async () => new OtherResponse()],
  ['gives a stream', async () => Readable.from(['a', 'b'])],
  ['gives a web stream', async () => new Blob(['web']).stream()],
  ['gives a header that Node refuses', async (_request, reply) => reply.header('x-name', '日本').send({ ok: true })],
  ['gives a payload that is none', async (_request, reply) => reply.type('text/plain').send({ a: 1 })],
  ...[new Error('broke'), { statusCode: 402, message: 'declined' }, 'text', null, undefined, 7].map(
    (thrown): [string, Handler] => [
      `throws ${String(thrown)}`,
      async () => {
        throw thrown
      },
    ],
  ),
]

describe.each(handlers)('a handler that %s', (_, handler) => {
  it.each(places.slice(1))('is answered %s as without it', async (place) => {
    const bare = await appOf(handler, 'unguarded').post()
    const guarded = await appOf(handler, place).post()
    const seen = ({ statusCode, body, headers: { date: _date, ...headers } }: typeof bare) => ({
      statusCode,
      body,
      headers: Object.keys(headers).sort(),
      cookies: headers['set-cookie'],
    })
    const { headers, ...expected } = seen(bare)
    // a stream that is held has a length
    expect(seen(guarded)).toMatchObject(expected)
    const isFraming = (name: string) => name === 'content-length' || name === 'transfer-encoding'
    expect(seen(guarded).headers.filter((name) => !isFraming(name))).toEqual(headers.filter((name) => !isFraming(name)))
  })
})

describe('a handler that throws', () => {
  it.each(places.slice(1))('%s is no success, though an error handler answers 200', async (place) => {
    const { app, post, counter } = appOf(async () => {
      throw new Error('declined')
    }, place)
    app.setErrorHandler((error: Error, _request, reply) => reply.code(200).send({ error: error.message }))
    const [first, again] = [await post(), await post()]
    expect([first.statusCode, again.statusCode, again.headers['idempotency-replayed'], counter.runs]).toEqual([
      200,
      200,
      undefined,
      2,
    ])
  })
})

/** A handler of which each run tells that it has begun, and that returns nothing once its first client has left. */
function outlivingHandler(leaves: (request: FastifyRequest) => Promise<unknown>) {
  const begun = deferred<void>()
  const handler: Handler = async (request, reply) => {
    begun.resolve()
    await leaves(request)
    reply.code(204)
  }
  return { begun: begun.promise, handler }
}

describe('a handler that returns nothing once its client has left', () => {
  it.each(places.slice(1))('%s has answered', async (place) => {
    const { begun, handler } = outlivingHandler(({ raw }) => once(raw.socket, 'close'))
    const { app, post, counter } = appOf(handler, place)
    await app.listen({ port: 0, host: '127.0.0.1' })
    const { port } = app.server.address() as AddressInfo
    const headers = { 'Idempotency-Key': 'k' }
    const sent = request({ host: '127.0.0.1', port, path: '/x', method: 'POST', headers, agent: false })
    sent.on('error', () => {}).end()
    await begun
    sent.destroy()
    const { statusCode, headers: answered } = await post()
    expect([statusCode, answered['idempotency-replayed'], counter.runs]).toEqual([204, 'true', 1])
  })
})

it('a header of before that a handler adds to is replayed with all of its values', async () => {
  const { app, post } = appOf(async (_request, reply) =>
    reply.header('link', [reply.getHeader('link'), '</b>']).send('x'),
  )
  app.addHook('onRequest', async (_request, reply) => void reply.header('link', '</a>'))
  const links = [(await post()).headers.link, (await post()).headers.link]
  expect(links).toEqual([
    ['</a>', '</b>'],
    ['</a>', '</b>'],
  ])
})

it('an upstream that is passed on with Transfer-Encoding is sent with one framing', async () => {
  const upstream = () => new Response('pong', { headers: { 'transfer-encoding': 'chunked' } })
  const { app } = appOf(async (_request, reply) => reply.send(upstream()))
  await app.listen({ port: 0, host: '127.0.0.1' })
  const url = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}/x`
  const send = async () => (await fetch(url, { method: 'POST', headers: { 'Idempotency-Key': 'k' } })).text()
  expect([await send(), await send()]).toEqual(['pong', 'pong'])
})

it('a JSON body in texts is read, as parsers of Fastify before 5.12.5 have it', async () => {
  const { app, post } = appOf(async ({ body }) => body)
  app.addHook('preParsing', async (_request, _reply, payload) => (payload as Readable).setEncoding('utf8'))
  const headers = { 'content-type': 'application/json' }
  const [first, other] = [await post({ payload: '{"a":"é"}', headers }), await post({ payload: '{"a":"e"}', headers })]
  expect([first.statusCode, first.body, other.statusCode]).toEqual([200, '{"a":"é"}', 422])
})

it('a body that its parser leaves unread is answered by inject()', async () => {
  const { app, post } = appOf(async () => 'stored')
  app.addContentTypeParser('application/octet-stream', (_request, payload, done) => done(null, payload))
  const response = await post({ payload: 'hello', headers: { 'content-type': 'application/octet-stream' } })
  expect([response.statusCode, response.body]).toEqual([200, 'stored'])
})

describe('over HTTP/2', () => {
  function h2(handler: Handler) {
    const idempotency = createIdempotency({ store: memoryStore(), namespace: 'test' })
    const app = Fastify({ http2: true })
    let runs = 0
    const counted = (request: FastifyRequest, reply: FastifyReply) => {
      runs++
      return handler(request, reply)
    }
    const guard = idempotent(idempotency, { scope: unscoped, onInProgress: { wait: '30s' } })
    app.post('/x', guard as object, counted as never)
    const start = async (body: string) => {
      if (!app.server.listening) await app.listen({ port: 0, host: '127.0.0.1' })
      const session = connect(`http://127.0.0.1:${(app.server.address() as AddressInfo).port}`)
      const headers = { ':method': 'POST', ':path': '/x', 'idempotency-key': 'k', 'content-type': 'application/json' }
      const stream = session.request(headers)
      stream.end(body)
      return { session, stream }
    }
    const send = async (body: string) => {
      const { session, stream } = await start(body)
      try {
        return await new Promise<{ status: unknown; replayed: unknown; body: string }>((resolve, reject) => {
          let text = ''
          let head: Record<string, unknown> = {}
          stream.setEncoding('utf8')
          stream.on('response', (fields) => {
            head = fields
          })
          stream.on('data', (chunk: string) => {
            text += chunk
          })
          stream.on('end', () =>
            resolve({ status: head[':status'], replayed: head['idempotency-replayed'], body: text }),
          )
          stream.on('error', reject)
        })
      } finally {
        session.close()
      }
    }
    return { send, start, runs: () => runs, close: () => app.close() }
  }

  it('has the answer of a handler that returns nothing once its client has left', async () => {
    const streamOf = ({ raw }: FastifyRequest) => (raw as unknown as Http2ServerRequest).stream
    const { begun, handler } = outlivingHandler((request) => once(streamOf(request), 'close'))
    const { send, start, runs, close } = h2(handler)
    const { session, stream } = await start('{}')
    await begun
    stream.close(constants.NGHTTP2_CANCEL)
    expect([await send('{}'), runs()]).toMatchObject([{ status: 204, replayed: 'true' }, 1])
    session.close()
    await close()
  })

  it('runs once, is replayed, and tells bodies apart, which need no Content-Length there', async () => {
    const { send, runs, close } = h2(async ({ body }) => ({ echo: body }))
    expect(await send('{"a":1}')).toEqual({ status: 200, replayed: undefined, body: '{"echo":{"a":1}}' })
    expect(await send('{"a":1}')).toEqual({ status: 200, replayed: 'true', body: '{"echo":{"a":1}}' })
    expect([await send('{"a":2}'), runs()]).toMatchObject([{ status: 422 }, 1])
    await close()
  })

  it('frees the key of a handler that throws', async () => {
    const { send, runs, close } = h2(async () => {
      throw new Error('broke')
    })
    expect([(await send('{}')).status, (await send('{}')).status, runs()]).toEqual([500, 500, 2])
    await close()
  })

  it.each<[string, Handler]>([
    [
      'a second end',
      (_request, reply) => {
        reply.hijack()
        reply.raw.end('once')
        reply.raw.end()
      },
    ],
    [
      'a second head',
      (_request, reply) => {
        reply.hijack()
        reply.raw.writeHead(200)
        expect(() => reply.raw.writeHead(500)).toThrow('already')
        reply.raw.end('once')
      },
    ],
  ])('holds an answer against %s', async (_name, handler) => {
    const { send, runs, close } = h2(handler)
    expect(await send('{}')).toEqual({ status: 200, replayed: undefined, body: 'once' })
    expect(await send('{}')).toEqual({ status: 200, replayed: 'true', body: 'once' })
    expect(runs()).toBe(1)
    await close()
  })
})
