/** Tests of Fastify's own features: schemas, hooks, replies and plugins. */
import { once } from 'node:events'
import { request } from 'node:http'
import { connect, constants } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { type Duplex, Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import compress from '@fastify/compress'
import cors from '@fastify/cors'
import formbody from '@fastify/formbody'
import multipart from '@fastify/multipart'
import { createIdempotency, unscoped } from '@retryproof/core'
import type { HttpOptions } from '@retryproof/http'
import { preconditionFailed } from '@retryproof/http/precondition'
import { memoryStore } from '@retryproof/memory'
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { afterEach, describe, expect, it } from 'vitest'
import { attemptOf, type IdempotentHandler, idempotent } from '../src/index.ts'

const running = new Set<FastifyInstance>()
afterEach(async () => {
  for (const app of running) await app.close()
  running.clear()
})

function testApp(isHttp2 = false) {
  const options = { forceCloseConnections: true, ...(isHttp2 && { http2: true }) }
  const app: FastifyInstance = Fastify(options as { forceCloseConnections: true })
  running.add(app)
  const idempotency = createIdempotency({ store: memoryStore(), namespace: 'test' })
  const operations: string[] = []
  idempotency.on('completed', ({ operation }) => operations.push(operation))
  return {
    app,
    idempotency,
    operations,
    guard: (options: Partial<HttpOptions<FastifyRequest>> = {}) =>
      idempotent(idempotency, { scope: unscoped, ...options }),
    given: (handler: IdempotentHandler, options: Partial<HttpOptions<FastifyRequest>> = {}) =>
      idempotent(idempotency, { scope: unscoped, ...options }, handler),
    async post(path: string, init: RequestInit = {}) {
      if (!app.server.listening) await app.listen({ port: 0, host: '127.0.0.1' })
      const url = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}${path}`
      return fetch(url, {
        method: 'POST',
        redirect: 'manual',
        ...init,
        headers: { 'Idempotency-Key': 'k1', ...init.headers },
      })
    },
  }
}

const json = (value: unknown) => ({
  body: JSON.stringify(value),
  headers: { 'Content-Type': 'application/json' },
})

async function seen(response: Response) {
  const { 'idempotency-replayed': replayed, date: _, ...headers } = Object.fromEntries(response.headers)
  for (const name of ['connection', 'keep-alive', 'transfer-encoding', 'content-length']) delete headers[name]
  const { status } = response
  return { status, headers, body: Buffer.from(await response.arrayBuffer()).toString('hex'), replayed }
}

describe('an answer of Fastify', () => {
  it('keeps the type that a hook before the guard has set', async () => {
    const { app, guard, post } = testApp()
    app.addHook('onRequest', async (_request, reply) => {
      reply.type('text/csv')
    })
    app.post('/rows', guard(), async () => 'a,b')
    const [first, again] = [await seen(await post('/rows')), await seen(await post('/rows'))]
    expect(again).toEqual({ ...first, replayed: 'true' })
  })

  it('IDJ 7: is replayed as its response schema let it out, and shows nothing more', async () => {
    const { app, guard, post } = testApp()
    const response = { 201: { type: 'object', properties: { id: { type: 'number' } } } }
    app.post('/users', { schema: { response }, ...guard() }, async (_request, reply) => {
      reply.code(201)
      return { id: 1, passwordHash: 's3cr3t' }
    })
    for (const answer of [await post('/users'), await post('/users')]) expect(await answer.text()).toBe('{"id":1}')
  })

  const answers: [string, (request: FastifyRequest, reply: FastifyReply) => unknown][] = [
    ['a value', () => ({ id: 1 })],
    ['a value of another status', (_request, reply) => reply.code(201).send({ id: 1 })],
    ['a text', () => 'Zoë'],
    ['nothing', (_request, reply) => reply.code(204).send()],
    ['null', (_request, reply) => reply.code(202).send(null)],
    ['a buffer', () => Buffer.from([0, 255])],
    ['a typed array', (_request, reply) => reply.send(Uint8Array.from([0, 255]))],
    ['a stream', (_request, reply) => reply.type('text/plain').send(Readable.from(['one ', 'two']))],
    ['a web stream', (_request, reply) => reply.send(new Blob(['one ', 'two']).stream())],
    ['a Response', () => Response.json({ id: 1 }, { status: 201, headers: { 'X-Own': 'a' } })],
    ['a redirect', (_request, reply) => reply.redirect('/charges/1', 303)],
    [
      'a serializer of its own',
      (_request, reply) =>
        reply
          .type('text/csv')
          .serializer(() => 'a,b')
          .send({}),
    ],
    ['a 404', (_request, reply) => reply.callNotFound()],
    ['an error with a status', () => Promise.reject(Object.assign(new Error('no funds'), { statusCode: 402 }))],
    ['a list of headers', (_request, reply) => reply.header('Link', ['<a>', '<b>']).send('')],
    ['raw', (_request, reply) => void reply.raw.writeHead(201, { 'X-Own': 'a' }).end('raw')],
    ['hijacked', (_request, reply) => void reply.hijack().raw.end('hijacked')],
  ]

  it.each(answers)('is what it is without a guard, first and again: %s', async (_name, answer) => {
    const { app, guard, given, post } = testApp()
    app.setNotFoundHandler((_request, reply) => reply.code(404).send({ none: true }))
    app.post('/bare', answer as never)
    app.post('/after', guard(), answer as never)
    app.post('/given', given(answer))
    const bare = await seen(await post('/bare'))
    for (const path of ['/after', '/given']) {
      expect(await seen(await post(path))).toEqual(bare)
      expect(await seen(await post(path))).toEqual({ ...bare, replayed: 'true' })
    }
  })

  it('is changed by the hooks of the instance once, and not again on its replay', async () => {
    const { app, guard, post } = testApp()
    app.addHook('onSend', async (_request, _reply, payload) => `<${String(payload)}>`)
    app.post('/charges', guard(), async () => 'value')
    expect([await (await post('/charges')).text(), await (await post('/charges')).text()]).toEqual([
      '<value>',
      '<value>',
    ])
  })

  it('is compressed for whoever asks for it, where the plugin covers all routes, large streams too', async () => {
    const { app, guard, post } = testApp()
    await app.register(compress, { threshold: 0, encodings: ['gzip'] })
    let runs = 0
    app.post('/text', guard(), async () => ({ runs: ++runs, text: 'x'.repeat(200_000) }))
    app.post('/large', guard(), async (_request, reply) =>
      reply.type('text/plain').send(Readable.from(Array(40).fill('x'.repeat(50_000)))),
    )
    const codings: unknown[] = []
    for (const coding of ['gzip', 'identity', 'gzip']) {
      const answer = await post('/text', { headers: { 'Accept-Encoding': coding } })
      codings.push([answer.headers.get('content-encoding'), answer.headers.get('idempotency-replayed')])
      expect(await answer.json()).toEqual({ runs: 1, text: 'x'.repeat(200_000) })
    }
    expect(codings).toEqual([
      ['gzip', null],
      [null, 'true'],
      ['gzip', 'true'],
    ])
    expect(await (await post('/large', { headers: { 'Accept-Encoding': 'gzip' } })).text()).toHaveLength(2_000_000)
    expect((await post('/large')).status).toBe(410)
  })

  it('has the CORS headers of each request', async () => {
    const { app, guard, post } = testApp()
    await app.register(cors, { origin: true })
    app.post('/charges', guard(), async () => ({}))
    const origins: unknown[] = []
    for (const Origin of ['https://a.test', 'https://b.test']) {
      origins.push((await post('/charges', { headers: { Origin } })).headers.get('access-control-allow-origin'))
    }
    expect(origins).toEqual(['https://a.test', 'https://b.test'])
  })

  it('is what an error handler makes of an error', async () => {
    const { app, guard, post } = testApp()
    app.setErrorHandler((error, _request, reply) => {
      reply.code(402).send({ told: (error as Error).message })
    })
    let runs = 0
    app.post('/charges', guard(), async () => {
      runs++
      throw new Error('no funds')
    })
    for (const answer of [await post('/charges'), await post('/charges')]) {
      expect([answer.status, await answer.json()]).toEqual([402, { told: 'no funds' }])
    }
    expect(runs).toBe(1)
  })

  it('releases its key where an error handler fails as well', async () => {
    const { app, guard, post } = testApp()
    app.setErrorHandler(() => {
      throw new Error('fails as well')
    })
    let runs = 0
    app.post('/charges', guard(), async () => {
      runs++
      throw new Error('boom')
    })
    expect([(await post('/charges')).status, (await post('/charges')).status, runs]).toEqual([500, 500, 2])
  })

  it('is what a failed precondition says, thrown in whichever handler', async () => {
    const { app, guard, given, post } = testApp()
    const fail = () => Promise.reject(preconditionFailed())
    app.post('/after', guard(), fail)
    app.post('/given', given(fail))
    for (const path of ['/after', '/given']) {
      const answer = await post(path)
      expect([answer.status, answer.headers.get('content-type')]).toEqual([412, 'application/problem+json'])
    }
  })

  it('is seen by inject() as by a client', async () => {
    const { app, guard } = testApp()
    let runs = 0
    app.post('/charges', guard(), async (_request, reply) => reply.code(201).send({ runs: ++runs }))
    const inject = () =>
      app.inject({ method: 'POST', url: '/charges', headers: { 'idempotency-key': 'k1' }, payload: { amount: 1 } })
    const [first, again] = [await inject(), await inject()]
    expect([first.statusCode, first.json(), again.statusCode, again.json()]).toEqual([
      201,
      { runs: 1 },
      201,
      { runs: 1 },
    ])
    expect(again.headers['idempotency-replayed']).toBe('true')
  })

  it('is told to the hooks that come after it once', async () => {
    const { app, guard, post } = testApp()
    const told: number[] = []
    app.addHook('onResponse', async (_request, reply) => void told.push(reply.statusCode))
    app.post('/charges', guard(), async (_request, reply) => reply.code(201).send({}))
    for (let sent = 0; sent < 2; sent++) await post('/charges')
    expect(told).toEqual([201, 201])
  })
})

describe('a request of Fastify', () => {
  it('runs nothing where validation refuses it, and begins nothing', async () => {
    const { app, guard, post, operations } = testApp()
    const body = { type: 'object', required: ['amount'] }
    app.post('/charges', { schema: { body }, ...guard() }, async () => ({}))
    expect([(await post('/charges', json({}))).status, (await post('/charges', json({ amount: 1 }))).status]).toEqual([
      400, 200,
    ])
    expect(operations).toHaveLength(1)
  })

  it('comes after authentication in a hook', async () => {
    const { app, guard, post } = testApp()
    app.addHook('preHandler', async (request, reply) => {
      if (request.headers['x-user'] === 'revoked') return reply.code(401).send()
    })
    app.post('/charges', guard({ scope: () => 'ann' }), async () => ({}))
    expect((await post('/charges')).status).toBe(200)
    expect((await post('/charges', { headers: { 'X-User': 'revoked' } })).status).toBe(401)
  })

  it('may be larger than what is read to tell it from another, where a parser has read it', async () => {
    const { app, guard, post } = testApp()
    app.post('/charges', guard({ maxRequestBytes: 10 }), async (request) => request.body)
    const statuses: number[] = []
    for (const amount of [1, 1, 2])
      statuses.push((await post('/charges', json({ amount, text: 'x'.repeat(20) }))).status)
    expect(statuses).toEqual([200, 200, 422])
  })

  it('may be a form of several parts', async () => {
    const { app, guard, post } = testApp()
    await app.register(multipart, { attachFieldsToBody: 'keyValues' })
    app.post('/charges', guard({ fingerprint: { pick: ['amount'] } }), async (request) => request.body)
    const form = (amount: string) => {
      const body = new FormData()
      body.set('amount', amount)
      return { body }
    }
    const statuses: number[] = []
    for (const amount of ['1', '1', '2']) statuses.push((await post('/charges', form(amount))).status)
    expect(statuses).toEqual([200, 200, 422])
  })

  it('with files counts by their content, name and type, wherever @fastify/multipart leaves them', async () => {
    const upload = (content: string, name = 'a.txt') => {
      const body = new FormData()
      body.set('amount', '1')
      body.set('receipt', new File([content], name))
      return { body }
    }
    for (const attachFieldsToBody of [true, false] as const) {
      const { app, guard, post } = testApp()
      await app.register(multipart, { attachFieldsToBody })
      app.post('/charges', guard({ fingerprint: { pick: ['amount', 'receipt'] } }), async () => 'stored')
      const statuses: number[] = []
      for (const form of [upload('one'), upload('one'), upload('two'), upload('one', 'b.txt')]) {
        statuses.push((await post('/charges', form)).status)
      }
      expect(statuses).toEqual([200, 200, 422, 422])
    }
  })

  it('that a parser leaves as URLSearchParams counts by its fields', async () => {
    for (const parser of ['own', 'formbody']) {
      const { app, guard, post } = testApp()
      if (parser === 'formbody') await app.register(formbody)
      else {
        const type = 'application/x-www-form-urlencoded'
        app.addContentTypeParser(type, { parseAs: 'string' }, (_request, body, done) =>
          done(null, new URLSearchParams(String(body))),
        )
      }
      app.post('/charges', guard(), async () => 'paid')
      const statuses: number[] = []
      for (const amount of ['1', '1', '1000']) {
        statuses.push((await post('/charges', { body: new URLSearchParams({ amount }) })).status)
      }
      expect(statuses).toEqual([200, 200, 422])
    }
  })

  it('is guarded in a route for its method alone, whichever that is', async () => {
    const { app, guard, given, post } = testApp()
    let runs = 0
    app.put('/own', guard(), async () => ++runs)
    app.delete(
      '/given',
      given(async () => ++runs),
    )
    app.route({ method: ['PUT', 'POST'], url: '/several', ...guard(), handler: async () => ++runs })
    const replays: unknown[] = []
    for (const [method, path] of [
      ['PUT', '/own'],
      ['DELETE', '/given'],
      ['PUT', '/several'],
    ] as const) {
      await post(path, { method })
      replays.push((await post(path, { method })).headers.get('idempotency-replayed'))
    }
    expect(replays).toEqual(['true', 'true', null])
  })

  it('has an attempt, for handlers that come after and for one that is given', async () => {
    const { app, guard, given, post } = testApp()
    app.post('/after', guard(), async (request) => ({ number: attemptOf(request)?.number }))
    app.post(
      '/given',
      given(async (_request, _reply, { attempt }) => ({ number: attempt?.number })),
    )
    for (const path of ['/after', '/given']) expect(await (await post(path)).json()).toEqual({ number: 1 })
  })

  it('that leaves with its body, before whoever reads it by himself, is no refusal to remember', async () => {
    const { app, idempotency, guard, post } = testApp()
    app.addContentTypeParser('text/plain', (_request, payload, done) => done(null, payload))
    const over = new Promise<string>((resolve) => {
      for (const type of ['completed', 'released'] as const) idempotency.on(type, () => resolve(type))
    })
    const leave = new AbortController()
    let runs = 0
    app.post('/charges', guard(), async (request, reply) => {
      runs++
      if (runs === 1) {
        const left = once(request.raw.socket, 'close')
        leave.abort()
        await left
      }
      return text(request.body as Readable).catch(() => reply.code(400).send('no body'))
    })
    const sent = { body: 'whole', headers: { 'Content-Type': 'text/plain' } }
    await expect(post('/charges', { ...sent, signal: leave.signal })).rejects.toThrow()
    expect(await over).toBe('released')
    const again = await post('/charges', sent)
    expect([again.status, await again.text(), runs]).toEqual([200, 'whole', 2])
  })

  it('that leaves while its replay is on the way does not run its handler', async () => {
    const { app, guard, post } = testApp()
    let runs = 0
    app.addHook('onSend', async (request) => {
      if (request.headers['x-leave']) request.raw.socket.destroy()
      await new Promise((resolve) => setImmediate(resolve))
    })
    app.post('/charges', guard(), async () => ({ runs: ++runs }))
    await post('/charges')
    await expect(post('/charges', { headers: { 'X-Leave': '1' } })).rejects.toThrow()
    expect([await (await post('/charges')).json(), runs]).toEqual([{ runs: 1 }, 1])
  })
})

describe('a route of Fastify', () => {
  it('is its method and full pattern', async () => {
    const { app, guard, post, operations } = testApp()
    await app.register(
      (router, _options, done) => {
        router.post('/:id/refunds', guard(), async () => ({}))
        router.post('/files/*', guard(), async () => ({}))
        done()
      },
      { prefix: '/v1/:tenant' },
    )
    for (const path of ['/v1/acme/7/refunds', '/v1/acme/files/a']) await post(path)
    expect(operations).toEqual(['POST /v1/:tenant/:id/refunds', 'POST /v1/:tenant/files/*'])
  })

  it('may be guarded for all routes of an instance', async () => {
    const { app, guard, post, operations } = testApp()
    const { preParsing, preHandler, onError, onSend } = guard()
    app
      .addHook('preParsing', preParsing)
      .addHook('preHandler', preHandler)
      .addHook('onError', onError)
      .addHook('onSend', onSend)
    app.post('/a', async () => ({ route: 'a' }))
    app.post('/b', async () => ({ route: 'b' }))
    for (const path of ['/a', '/b', '/a']) await post(path)
    expect(operations).toEqual(['POST /a', 'POST /b'])
  })
})

it('an absolute target is the one that was sent', async () => {
  const { app, guard, post } = testApp()
  app.post('/charges', guard(), async () => ({}))
  await post('/charges?a=1')
  const { port } = app.server.address() as AddressInfo
  const headers = { 'Idempotency-Key': 'k1' }
  const status = await new Promise((resolve, reject) => {
    request({ port, method: 'POST', path: '/charges?a=2', headers }, (answer) => {
      void text(answer).then(() => resolve(answer.statusCode), reject)
    }).end()
  })
  expect(status).toBe(422)
})

describe('a source that is destroyed since its client has left was abandoned, and has not failed: nothing runs twice', () => {
  const headers = { ':method': 'POST', ':path': '/events', 'idempotency-key': 'k1' }

  /** Reads a first part, and leaves. */
  const clients = {
    async 'HTTP/1.1'(port: number) {
      const leaving = new AbortController()
      const options = { port, method: 'POST', path: '/events', headers: { 'Idempotency-Key': 'k1' } }
      const sent = request({ ...options, signal: leaving.signal }).on('error', () => {})
      const [answer] = (await once(sent.end(), 'response')) as [Readable]
      await once(
        answer.on('error', () => {}),
        'data',
      )
      leaving.abort()
    },
    async 'HTTP/2'(port: number) {
      const session = connect(`http://127.0.0.1:${port}`)
      const stream = session.request(headers).end()
      await once(stream, 'data')
      stream.close(constants.NGHTTP2_CANCEL)
      session.close()
    },
  }

  it.each(['HTTP/1.1', 'HTTP/2'] as const)('over %s', async (protocol) => {
    const { app, idempotency, guard } = testApp(protocol === 'HTTP/2')
    const ended = new Promise<string>((resolve) => {
      for (const type of ['completed', 'released'] as const) idempotency.on(type, () => resolve(type))
    })
    app.post('/events', guard(), async ({ raw }, reply) => {
      const source = new Readable({ read() {} })
      source.push('data: charged\n\n')
      // as NestJS 12 does
      const connection = 'stream' in raw ? (raw.stream as Duplex) : raw.socket
      connection.once('close', () => source.destroy())
      return reply.code(201).type('text/event-stream').send(source)
    })
    await app.listen({ port: 0, host: '127.0.0.1' })
    await clients[protocol]((app.server.address() as AddressInfo).port)
    expect(await ended).toBe('completed')
  })
})
