import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { type IncomingMessage, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import compression from 'compression'
import type { Response as ExpressResponse, Request } from 'express'
import { describe, expect, it } from 'vitest'
import { attemptOf } from '../src/index.ts'
import { deferred, json, testApp, versions } from './app.ts'

const binary = Buffer.from([0, 255, 254, 0, 65])

/** An answer as a client sees it, without the headers that belong to one answer alone. */
async function seen(response: Response) {
  const {
    date,
    connection,
    'keep-alive': _keepAlive,
    // an answer in pieces leaves in chunks, and its replay with its length
    'content-length': _length,
    'transfer-encoding': _coding,
    'idempotency-replayed': replayed,
    ...headers
  } = Object.fromEntries(response.headers)
  expect([typeof date, typeof connection]).toEqual(['string', 'string'])
  return { status: response.status, headers, body: Buffer.from(await response.arrayBuffer()).toString('hex'), replayed }
}

describe.each(versions)('a replay on %s', (_, express) => {
  const answers: [string, (req: Request, res: ExpressResponse) => unknown][] = [
    ['json()', (_req, res) => res.status(201).location('/charges/1').json({ id: 1 })],
    ['send(text)', (_req, res) => res.send('hello')],
    ['send(bytes)', (_req, res) => res.type('application/octet-stream').send(binary)],
    ['send(nothing)', (_req, res) => res.send()],
    ['sendStatus()', (_req, res) => res.sendStatus(202)],
    ['204', (_req, res) => res.status(204).end()],
    ['304', (_req, res) => res.status(304).set('ETag', '"1"').end()],
    ['redirect(303)', (_req, res) => res.redirect(303, '/charges/1')],
    ['end(bytes)', (_req, res) => res.end(binary)],
    ['write() and end()', (_req, res) => [res.write('one '), res.write(binary), res.end('three')]],
    ['writeHead()', (_req, res) => res.writeHead(201, { 'X-Own': 'yes' }).end('done')],
    ['a pipe', (_req, res) => Readable.from([binary, binary]).pipe(res)],
    ['several headers of one name', (_req, res) => res.append('Link', '<a>').append('Link', '<b>').end()],
    ['a refusal', (_req, res) => res.status(422).json({ error: 'no' })],
    ['a 1 MiB body', (_req, res) => res.send(Buffer.alloc(1_048_576, 0xfe))],
  ]

  it.each(answers)('is the first answer byte for byte: %s', async (_name, answer) => {
    const { app, guard, post } = testApp(express)
    let runs = 0
    app.post('/charges', guard(), (req, res) => {
      runs++
      answer(req, res)
    })
    const { replayed: none, ...first } = await seen(await post('/charges', { redirect: 'manual' }))
    const { replayed, ...again } = await seen(await post('/charges', { redirect: 'manual' }))
    expect(again).toEqual(first)
    expect([none, replayed, runs]).toEqual([undefined, 'true', 1])
  })

  it('is without the headers of middleware that the handler removed', async () => {
    const { app, guard, post } = testApp(express)
    app.use((_req, res, next) => {
      res.set({ 'X-Frame-Options': 'DENY', 'X-Content-Type-Options': 'nosniff' })
      next()
    })
    app.post('/charges', guard(), (_req, res) => {
      res.removeHeader('X-Frame-Options')
      res.json({})
    })
    const { replayed: _none, ...first } = await seen(await post('/charges'))
    const { replayed, ...again } = await seen(await post('/charges'))
    expect([again, replayed]).toEqual([first, 'true'])
    expect(first.headers).toMatchObject({ 'x-content-type-options': 'nosniff' })
    expect(first.headers).not.toHaveProperty('x-frame-options')
  })

  it('follows a first answer that has its trailers', async () => {
    const { app, guard, port } = testApp(express)
    app.post('/charges', guard(), (_req, res) => {
      res.write('charged')
      res.addTrailers({ 'X-Sum': '1' })
      res.end()
    })
    const sent = request({ port: await port(), path: '/charges', method: 'POST', headers: { 'Idempotency-Key': 'k1' } })
    const [answer] = (await once(sent.end(), 'response')) as [IncomingMessage]
    expect([await text(answer), answer.trailers]).toEqual(['charged', { 'x-sum': '1' }])
  })

  it('is a file that was sent', async () => {
    const { app, guard, post } = testApp(express)
    const path = join(tmpdir(), `retryproof-${process.pid}.bin`)
    await writeFile(path, binary)
    app.post('/charges', guard(), (_req, res) => res.sendFile(path))
    const { replayed: _r, ...first } = await seen(await post('/charges'))
    await writeFile(path, 'something else')
    const { replayed, ...again } = await seen(await post('/charges'))
    expect([again, replayed]).toEqual([first, 'true'])
    expect(first.body).toBe(binary.toString('hex'))
  })

  it('has no cookie, and none of the headers that are set for each request anew', async () => {
    const { app, guard, post } = testApp(express)
    let requests = 0
    app.use((_req, res, next) => {
      res.set({ 'X-Request-Id': String(++requests), 'Access-Control-Allow-Origin': '*' })
      next()
    })
    app.post('/charges', guard(), (_req, res) => {
      res.cookie('session', 'secret').cookie('second', '2').set('X-Own', 'kept').json({})
    })
    const first = await post('/charges')
    expect(first.headers.getSetCookie()).toHaveLength(2)
    expect(first.headers.get('x-request-id')).toBe('1')
    const again = await post('/charges')
    expect(again.headers.getSetCookie()).toEqual([])
    expect(again.headers.get('x-request-id')).toBe('2')
    expect(again.headers.get('access-control-allow-origin')).toBe('*')
    expect(again.headers.get('x-own')).toBe('kept')
  })

  it('is compressed for whoever asks for it, where compression stands outside', async () => {
    const { app, guard, post } = testApp(express)
    app.use(compression({ threshold: 0 }))
    app.post('/charges', guard(), (_req, res) => res.json({ text: 'x'.repeat(1000) }))
    const ask = (encoding: string) => post('/charges', { headers: { 'Accept-Encoding': encoding } })
    const answers = [await ask('gzip'), await ask('identity'), await ask('gzip')]
    expect(answers.map(({ headers }) => headers.get('content-encoding'))).toEqual(['gzip', null, 'gzip'])
    expect(answers.map(({ headers }) => headers.get('idempotency-replayed'))).toEqual([null, 'true', 'true'])
    const [first, ...others] = await Promise.all(answers.map((answer) => answer.text()))
    expect(others).toEqual([first, first])
  })

  it('is refused rather than damaged, where compression stands inside', async () => {
    const { app, guard, post } = testApp(express)
    let runs = 0
    app.post('/charges', guard(), compression({ threshold: 0 }), (_req, res) => {
      runs++
      res.status(201).json({ runs })
    })
    const first = await post('/charges', { headers: { 'Accept-Encoding': 'gzip' } })
    expect([first.headers.get('content-encoding'), await first.json()]).toEqual(['gzip', { runs: 1 }])
    const again = await post('/charges', { headers: { 'Accept-Encoding': 'gzip' } })
    expect([again.status, runs]).toEqual([410, 1])
    expect(await again.json()).toMatchObject({ original: { status: 201 } })
  })

  it('is 410 with the original status and location where the answer was a stream', async () => {
    const { app, guard, post } = testApp(express)
    let runs = 0
    const gate = deferred()
    app.post('/charges', guard(), async (_req, res) => {
      runs++
      res.writeHead(201, { 'Content-Type': 'text/event-stream', Location: '/charges/1' })
      res.write('data: first\n\n')
      await gate.promise
      res.end('data: last\n\n')
    })
    const first = await post('/charges')
    const reader = first.body?.getReader()
    expect(new TextDecoder().decode((await reader?.read())?.value)).toBe('data: first\n\n')
    const during = await post('/charges')
    expect([during.status, during.headers.get('retry-after')]).toEqual([409, '2'])
    gate.resolve()
    expect(new TextDecoder().decode((await reader?.read())?.value)).toBe('data: last\n\n')
    const again = await post('/charges')
    expect([again.status, again.headers.get('location'), runs]).toEqual([410, '/charges/1', 1])
    expect(await again.json()).toMatchObject({ original: { status: 201, location: '/charges/1' } })
  })

  it('does not go through the handler, whatever a client pretends', async () => {
    const { app, guard, post } = testApp(express)
    let runs = 0
    app.post('/charges', guard(), (_req, res) => res.json({ runs: ++runs }))
    await post('/charges', { headers: { 'Idempotency-Replayed': 'true', 'X-Hit': 'true' } })
    await post('/charges')
    expect(runs).toBe(1)
  })
})

describe.each(versions)('an answer on %s', (_, express) => {
  it.each<[string, number, number]>([
    ['a server error', 500, 2],
    ['too many requests', 429, 2],
    ['not authenticated', 401, 2],
    ['a success', 200, 1],
    ['not found', 404, 1],
  ])('of %s (%i) runs the handler %i times for two requests', async (_name, status, expected) => {
    const { app, guard, post } = testApp(express)
    let runs = 0
    app.post('/charges', guard(), (_req, res) => res.status(status).json({ runs: ++runs }))
    expect([(await post('/charges')).status, (await post('/charges')).status]).toEqual([status, status])
    expect(runs).toBe(expected)
  })

  it('decides by its final status when the handler throws', async () => {
    const { app, guard, post } = testApp(express)
    let runs = 0
    app.post('/charges', guard(), () => {
      runs++
      throw Object.assign(new Error('no such card'), { status: runs === 1 ? 503 : 402 })
    })
    app.use(((error, _req, res, _next) =>
      res.status(error.status).json({ error: error.message })) as import('express').ErrorRequestHandler)
    const statuses: number[] = []
    for (let request = 0; request < 3; request++) statuses.push((await post('/charges')).status)
    expect([statuses, runs]).toEqual([[503, 402, 402], 2])
  })

  it('releases its key where nobody handles the error', async () => {
    const { app, guard, post } = testApp(express)
    app.set('env', 'test')
    let runs = 0
    app.post('/charges', guard(), (_req, _res, next) => {
      runs++
      next(new Error('boom'))
    })
    expect([(await post('/charges')).status, (await post('/charges')).status, runs]).toEqual([500, 500, 2])
  })

  it('is recorded before it leaves', async () => {
    const { app, guard, post, idempotency } = testApp(express)
    const order: string[] = []
    idempotency.on('completed', () => order.push('recorded'))
    app.post('/charges', guard(), (_req, res) => {
      res.on('finish', () => order.push('sent')).json({})
    })
    await post('/charges')
    expect(order).toEqual(['recorded', 'sent'])
  })

  it('reaches ten duplicates at once as one execution', async () => {
    const { app, guard, post } = testApp(express)
    let runs = 0
    const gate = deferred()
    const started = deferred()
    app.post('/charges', guard(), async (_req, res) => {
      runs++
      started.resolve()
      await gate.promise
      res.status(201).json({ runs })
    })
    const first = post('/charges')
    await started.promise
    const duplicates = await Promise.all(Array.from({ length: 10 }, () => post('/charges')))
    gate.resolve()
    expect(duplicates.map(({ status }) => status)).toEqual(Array(10).fill(409))
    expect([(await first).status, runs]).toEqual([201, 1])
  })

  it('comes to a duplicate that waits', async () => {
    const { app, guard, post } = testApp(express)
    const gate = deferred()
    const started = deferred()
    app.post('/charges', guard({ onInProgress: { wait: '10s' } }), async (_req, res) => {
      started.resolve()
      await gate.promise
      res.status(201).json({ done: true })
    })
    const first = post('/charges')
    await started.promise
    const second = post('/charges')
    gate.resolve()
    const [one, two] = await Promise.all([first, second])
    expect([one.status, two.status, two.headers.get('idempotency-replayed')]).toEqual([201, 201, 'true'])
    expect(await two.json()).toEqual({ done: true })
  })
})

describe.each(versions)('the attempt on %s', (_, express) => {
  it('is handed to the handler that comes after', async () => {
    const { app, guard, post } = testApp(express)
    app.post('/charges', guard(), (req, res) => {
      const attempt = attemptOf(req)
      res.json({ number: attempt?.number, key: attempt?.keyFor('charge'), aborted: attempt?.signal.aborted })
    })
    expect(await (await post('/charges')).json()).toEqual({ number: 1, key: expect.any(String), aborted: false })
  })

  it('is handed to the handler that is given', async () => {
    const { app, guard, post } = testApp(express)
    let fail = true
    app.post(
      '/charges',
      guard({}, async (_req, res, { attempt }) => {
        if (fail) {
          fail = false
          throw Object.assign(new Error('later'), { status: 503 })
        }
        res.json({ number: attempt?.number })
      }),
    )
    app.set('env', 'test')
    expect((await post('/charges')).status).toBe(503)
    expect(await (await post('/charges')).json()).toEqual({ number: 2 })
  })

  it('is undefined where the request passes without protection', async () => {
    const { app, guard, post, url } = testApp(express)
    const tell: Parameters<typeof guard>[1] = (_req, res, { attempt }) => res.json({ guarded: attempt !== undefined })
    app.all('/charges', (req, res, next) => (req.method === 'PUT' ? guard({}, tell)(req, res, next) : next()))
    app.post('/charges', guard({ required: false }, tell))
    expect(await (await fetch(await url('/charges'), { method: 'PUT' })).json()).toEqual({ guarded: false })
    expect(await (await post('/charges', { key: null })).json()).toEqual({ guarded: false })
    expect(await (await post('/charges', { ...json({}) })).json()).toEqual({ guarded: true })
  })
})
