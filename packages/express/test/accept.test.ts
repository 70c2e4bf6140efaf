import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import type { StatusResource } from '@retryproof/http'
import { statusResource } from '@retryproof/http/status'
import { webhook } from '@retryproof/webhook'
import type { Request, RequestHandler } from 'express'
import { describe, expect, it, vi } from 'vitest'
import { serveStatus } from '../src/index.ts'
import { deferred, json, type TestApp, testApp, versions } from './app.ts'

const secret = 'sixteen random bytes'
const scope = (req: Request) => req.get('x-user') ?? 'ann'

describe.each(versions)('an answer that comes later, on %s', (_, express) => {
  /** An app whose users are told by a header, in front of which nobody but them is let in. */
  function later() {
    const set = testApp(express)
    const status: StatusResource<Request> = statusResource(set.idempotency, { path: '/operations', scope, secret })
    const authenticate: RequestHandler = (req, res, next) => {
      if (req.get('x-user') === 'revoked') res.sendStatus(401)
      else next()
    }
    set.app.use(authenticate)
    set.app.get('/operations/:id', serveStatus(status))
    const poll = async (location: string | null, user = 'ann') =>
      fetch(await set.url(String(location)), { headers: { 'X-User': user } })
    return { ...set, status, poll }
  }

  /** Polls until the answer is there. */
  async function settled({ idempotency }: Pick<TestApp<never>, 'idempotency'>) {
    const over = deferred()
    for (const type of ['completed', 'released'] as const) idempotency.on(type, () => over.resolve())
    return over
  }

  it('gives its request the socket of the connection back', async () => {
    const { app, guard, post, status } = later()
    const seen = deferred<Request>()
    let socket: unknown
    const note: RequestHandler = (req, _res, next) => {
      socket = req.socket
      next()
    }
    const options = { scope, statusResource: status, respond: 'async', storeRequest: 'no' } as const
    app.post(
      '/charges',
      note,
      guard(options, (req, res) => {
        res.sendStatus(201)
        seen.resolve(req)
      }),
    )
    expect((await post('/charges')).status).toBe(202)
    const req = await seen.promise
    await vi.waitFor(() => expect(req.socket).toBe(socket))
  })

  it('is where a duplicate is told to look for it, in all its bytes', async () => {
    const { app, guard, post, poll, status } = later()
    const gate = deferred()
    const started = deferred()
    app.post('/charges', guard({ scope, onInProgress: 'accept', statusResource: status }), async (_req, res) => {
      started.resolve()
      await gate.promise
      res
        .status(201)
        .location('/charges/1')
        .send(Buffer.from([0, 255]))
    })
    const first = post('/charges')
    await started.promise
    const duplicate = await post('/charges')
    expect([
      duplicate.status,
      duplicate.headers.get('idempotency-status'),
      duplicate.headers.get('retry-after'),
    ]).toEqual([202, 'pending', '2'])
    const location = duplicate.headers.get('location')
    const pending = await poll(location)
    expect([pending.status, pending.headers.get('idempotency-status'), pending.headers.get('location')]).toEqual([
      202,
      'pending',
      location,
    ])
    gate.resolve()
    expect((await first).status).toBe(201)
    const answer = await poll(location)
    expect([answer.status, answer.headers.get('location'), answer.headers.get('idempotency-status')]).toEqual([
      201,
      '/charges/1',
      null,
    ])
    expect(Buffer.from(await answer.arrayBuffer())).toEqual(Buffer.from([0, 255]))
    expect((await poll(location, 'stranger')).status).toBe(404)
    expect((await poll(location, 'revoked')).status).toBe(401)
    expect((await poll('/operations/none')).status).toBe(404)
  })

  it('is not waited for by the first caller either', async () => {
    const set = later()
    const { app, guard, post, poll, status } = set
    const over = await settled(set)
    const gate = deferred()
    let seen: unknown
    app.post(
      '/charges',
      guard({ scope, respond: 'async', storeRequest: 'no', statusResource: status }),
      express.json(),
      async (req, res) => {
        await gate.promise
        seen = [res.headersSent, res.writableEnded, res.statusCode, res.get('location'), req.body]
        res.status(201).set('X-Own', 'yes').json({ charged: req.body.amount })
      },
    )
    const first = await post('/charges', json({ amount: 7 }))
    expect([first.status, first.headers.get('idempotency-status'), await first.json()]).toEqual([
      202,
      'pending',
      { status: 'pending', idempotencyStatus: 'pending', location: first.headers.get('location'), retryAfter: 2 },
    ])
    const location = first.headers.get('location')
    expect((await poll(location)).status).toBe(202)
    gate.resolve()
    await over.promise
    expect(seen).toEqual([false, false, 200, undefined, { amount: 7 }])
    const answer = await poll(location)
    expect([answer.status, answer.headers.get('x-own'), await answer.json()]).toEqual([201, 'yes', { charged: 7 }])
    const again = await post('/charges', json({ amount: 7 }))
    expect([again.status, again.headers.get('idempotency-replayed')]).toEqual([201, 'true'])
  })

  it('may be an error, which is told as such', async () => {
    const set = later()
    const { app, guard, post, poll, status } = set
    const over = await settled(set)
    app.set('env', 'test')
    app.post('/charges', guard({ scope, respond: 'async', storeRequest: 'no', statusResource: status }), () => {
      throw Object.assign(new Error('no funds'), { status: 402 })
    })
    const { headers } = await post('/charges')
    await over.promise
    expect((await poll(headers.get('location'))).status).toBe(402)
  })

  it('may be a stream or a file, since nobody waits for its beginning; only what is too large is not kept', async () => {
    const set = later()
    const { app, guard, post, poll, status } = set
    app.post('/:kind', guard({ scope, respond: 'async', storeRequest: 'no', statusResource: status }), (req, res) => {
      if (req.params.kind === 'file') res.sendFile(import.meta.filename)
      else if (req.params.kind === 'large') res.send(Buffer.alloc(2_000_000))
      else res.type('text/event-stream').end('data: 1\n\n')
    })
    for (const [kind, expected] of [
      ['stream', 200],
      ['large', 410],
      ['file', 200],
    ] as const) {
      const over = await settled(set)
      const { headers } = await post(`/${kind}`, { key: kind })
      await over.promise
      expect([kind, (await poll(headers.get('location'))).status]).toEqual([kind, expected])
    }
  })

  it('leaves the connection to the next request', async () => {
    const set = later()
    const { app, guard, post, status } = set
    const gate = deferred()
    app.post(
      '/charges',
      guard({ scope, respond: 'async', storeRequest: 'no', statusResource: status }),
      async (_req, res) => {
        await gate.promise
        res.json({})
      },
    )
    const over = await settled(set)
    expect([
      (await post('/charges', { key: 'a' })).status,
      (await post('/charges', { key: 'b' })).status,
      (await post('/none')).status,
    ]).toEqual([202, 202, 404])
    gate.resolve()
    await over.promise
  })

  it('is told to a callback that was agreed upon, and to no other', async () => {
    const told = deferred<unknown>()
    const receiver = createServer(async (req, res) => {
      told.resolve(JSON.parse(await text(req)))
      res.end()
    }).listen(0, '127.0.0.1')
    const { app, guard, post, status } = later()
    await post('/none')
    const callback = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/hook`
    const notifier = webhook<Request>({
      url: (req) => req.get('x-callback'),
      allow: ['127.0.0.1'],
      secret: Buffer.from(`${secret}, and eight more`).toString('base64'),
      insecure: true,
    })
    let runs = 0
    app.post(
      '/charges',
      guard({ scope, respond: 'async', storeRequest: 'no', statusResource: status, webhook: notifier }),
      (_req, res) => res.status(201).json(++runs),
    )
    const refused = await post('/charges', { headers: { 'X-Callback': 'http://evil.example.com/' } })
    expect([refused.status, runs]).toEqual([400, 0])
    const { headers } = await post('/charges', { headers: { 'X-Callback': callback } })
    expect(await told.promise).toMatchObject({ type: 'operation.completed', data: { status: 201, body: '1' } })
    expect(headers.get('location')).toMatch(/^\/operations\//)
    receiver.closeAllConnections()
    receiver.close()
  })
})
