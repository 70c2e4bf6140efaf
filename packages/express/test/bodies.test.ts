import { connect } from 'node:net'
import express5, { type ErrorRequestHandler, type RequestHandler } from 'express'
import { describe, expect, it } from 'vitest'
import { json, testApp, versions } from './app.ts'

const tellError: ErrorRequestHandler = (error, _req, res, _next) => {
  res.status(500).json({ message: (error as Error).message })
}

describe.each(versions)('a body on %s', (_, express) => {
  const orders: [string, (guard: RequestHandler) => RequestHandler[]][] = [
    ['before', (guard) => [express.json(), guard]],
    ['after', (guard) => [guard, express.json()]],
    ['before, as bytes', (guard) => [express.raw({ type: '*/*' }), guard]],
    ['before, as text', (guard) => [express.text({ type: '*/*' }), guard]],
    ['never', (guard) => [guard]],
  ]

  it.each(orders)('counts by its value, with its parser %s', async (order, place) => {
    const { app, guard, post } = testApp(express)
    const seen: unknown[] = []
    const handler: RequestHandler = (req, res) => {
      seen.push(req.body)
      res.sendStatus(201)
    }
    app.post('/charges', ...place(guard()), handler)
    const statuses = [
      (await post('/charges', { ...json({}), body: '{"amount":1,"to":"ann"}' })).status,
      (await post('/charges', { ...json({}), body: '{ "to": "ann", "amount": 1 }' })).status,
      (await post('/charges', { ...json({}), body: '{"amount":1000,"to":"ann"}' })).status,
    ]
    expect([statuses, seen.length]).toEqual([[201, 201, 422], 1])
    if (order === 'after' || order === 'before') expect(seen).toEqual([{ amount: 1, to: 'ann' }])
  })

  it('may be large, and comes whole to a parser that comes after', async () => {
    const { app, guard, post } = testApp(express)
    app.post('/charges', guard(), express.json({ limit: '2mb' }), (req, res) => res.json(req.body.text.length))
    const body = json({ text: 'x'.repeat(900_000) })
    expect([await (await post('/charges', body)).json(), await (await post('/charges', body)).json()]).toEqual([
      900_000, 900_000,
    ])
  })

  it('may come in pieces of unknown length', async () => {
    const { app, guard, post } = testApp(express)
    app.post('/charges', guard(), express.text({ type: '*/*' }), (req, res) => res.json(req.body))
    const chunks = () =>
      new ReadableStream({
        start(controller) {
          for (const part of ['one ', 'two ', 'three']) controller.enqueue(new TextEncoder().encode(part))
          controller.close()
        },
      })
    const init = { duplex: 'half', headers: { 'Content-Type': 'text/plain' } } as RequestInit
    const first = await post('/charges', { ...init, body: chunks() })
    const again = await post('/charges', { ...init, body: chunks() })
    expect([await first.json(), again.headers.get('idempotency-replayed')]).toEqual(['one two three', 'true'])
  })

  it('is refused with 413 when it is too large to be read', async () => {
    const { app, guard, post } = testApp(express)
    let runs = 0
    app.post('/charges', guard({ maxRequestBytes: 10 }), (_req, res) => res.json(++runs))
    const answer = await post('/charges', { body: 'x'.repeat(11) })
    expect([answer.status, runs]).toEqual([413, 0])
    const stream = new ReadableStream({
      start(controller) {
        controller.enqueue(new TextEncoder().encode('x'.repeat(11)))
        controller.close()
      },
    })
    expect((await post('/charges', { body: stream, duplex: 'half' } as RequestInit)).status).toBe(413)
    expect(runs).toBe(0)
  })

  it('is an error of configuration when it was consumed and nothing was left', async () => {
    const { app, guard, post } = testApp(express)
    let runs = 0
    const consume: RequestHandler = (req, _res, next) => {
      req.resume().on('end', () => next())
    }
    app.post('/charges', consume, guard(), (_req, res) => res.json(++runs))
    app.use(tellError)
    const answer = await post('/charges', json({}))
    expect([answer.status, await answer.json(), runs]).toEqual([
      500,
      { message: expect.stringContaining('consumed') },
      0,
    ])
  })

  it.each<[string, string, (text: string) => unknown]>([
    ['of JSON, with a space', '{ }', (text) => text],
    ['of JSON, without a length', '{}', (text) => new Blob([text]).stream()],
    ['of a form', '&', (text) => new URLSearchParams(text.slice(1))],
    ['of a form, with a separator', '&', (text) => text],
  ])('may be an empty object %s', async (title, text, bodyOf) => {
    const { app, guard, post } = testApp(express)
    app.post('/charges', express.json(), express.urlencoded({ extended: true }), guard(), (req, res) => {
      res.json(req.body ?? {})
    })
    const type = title.startsWith('of JSON') ? 'application/json' : 'application/x-www-form-urlencoded'
    const send = () =>
      post('/charges', { duplex: 'half', headers: { 'Content-Type': type }, body: bodyOf(text) } as RequestInit)
    const [first, again] = [await send(), await send()]
    expect([await first.json(), again.headers.get('idempotency-replayed')]).toEqual([{}, 'true'])
  })

  it('counts as a form does', async () => {
    const { app, guard, post } = testApp(express)
    app.post('/charges', express.urlencoded({ extended: true }), guard(), (req, res) => res.json(req.body))
    const form = (text: string) => post('/charges', { body: new URLSearchParams(text) })
    const answers = [await form('amount=1&to=ann'), await form('to=ann&amount=1'), await form('amount=2&to=ann')]
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 422])
  })

  it('may be of any media type that nobody reads', async () => {
    const { app, guard, post } = testApp(express)
    app.use(express.json())
    app.post('/charges', guard(), (_req, res) => res.sendStatus(415))
    const answer = await post('/charges', { body: '<amount/>', headers: { 'Content-Type': 'text/xml' } })
    expect(answer.status).toBe(415)
  })

  it('of several parts needs its fields named', async () => {
    const { app, guard, post } = testApp(express)
    const form = () => {
      const data = new FormData()
      data.set('amount', '1')
      return { body: data }
    }
    app.post('/charges', guard(), (_req, res) => res.sendStatus(201))
    expect((await post('/charges', form())).status).toBe(415)
  })

  it('counts by the fields that are picked', async () => {
    const { app, guard, post } = testApp(express)
    app.post('/charges', express.json(), guard({ fingerprint: { omit: ['trace'] } }), (_req, res) =>
      res.sendStatus(201),
    )
    const statuses: number[] = []
    for (const body of [{ amount: 1, trace: 'a' }, { amount: 1, trace: 'b' }, { amount: 2 }])
      statuses.push((await post('/charges', json(body))).status)
    expect(statuses).toEqual([201, 201, 422])
  })

  it('may hold the key', async () => {
    const { app, guard, post } = testApp(express)
    let runs = 0
    app.use(express.json())
    app.post('/charges', guard({ key: (req) => req.body?.ref_id }), (_req, res) => res.json(++runs))
    const statuses: number[] = []
    for (const body of [
      { ref_id: 'r1' },
      { ref_id: 'r1' },
      {},
      { ref_id: '' },
      { ref_id: { $gt: '' } },
      { ref_id: 7 },
    ]) {
      statuses.push((await post('/charges', { ...json(body), key: null })).status)
    }
    expect([statuses, runs]).toEqual([[200, 200, 400, 400, 400, 400], 1])
  })
})

it('is read by both of two guards', async () => {
  const { app, guard, post } = testApp(express5)
  app.post('/charges', guard({ operation: 'a' }), guard({ operation: 'b' }), express5.json(), (req, res) =>
    res.json(req.body),
  )
  expect(await (await post('/charges', json({ a: 1 }))).json()).toEqual({ a: 1 })
})

describe.each(versions)('a chunked body of %s', (_, framework) => {
  const chunked = (path: string, ...chunks: string[]) =>
    `POST ${path} HTTP/1.1\r\nHost: a\r\nIdempotency-Key: k\r\nContent-Type: application/json\r\n` +
    `Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n${chunks
      .map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`)
      .join('')}0\r\n\r\n`

  async function statusOf(port: number, text: string): Promise<string | undefined> {
    const socket = connect(port, '127.0.0.1')
    socket.write(text)
    const chunks: Buffer[] = []
    for await (const chunk of socket) chunks.push(chunk as Buffer)
    return Buffer.concat(chunks).toString().split('\r\n')[0]
  }

  it('that is empty is no body, wherever the parser stands', async () => {
    const { app, guard, port } = testApp(framework)
    const ok: RequestHandler = (_req, res) => void res.json({ ran: true })
    const later: RequestHandler = (_req, _res, next) => void setImmediate(() => setImmediate(next))
    app.post('/before', guard(), framework.json(), ok)
    app.post('/after', framework.json(), guard(), ok)
    app.post('/later', framework.json(), later, guard(), ok)
    for (const path of ['/before', '/after', '/later']) {
      expect([path, await statusOf(await port(), chunked(path))]).toEqual([path, 'HTTP/1.1 200 OK'])
    }
  })

  it('is read as a text where an encoding was set before, and stays readable', async () => {
    const { app, guard, port } = testApp(framework)
    const texts: string[] = []
    app.use((req, _res, next) => {
      req.setEncoding('utf8')
      next()
    })
    app.post('/x', guard(), async (req, res) => {
      let text = ''
      for await (const chunk of req) text += chunk
      texts.push(text)
      res.json({})
    })
    const statuses = [
      await statusOf(await port(), chunked('/x', '{"a":', '"b"}')),
      await statusOf(await port(), chunked('/x', '{"a":', '"c"}')),
    ]
    expect([statuses, texts]).toEqual([['HTTP/1.1 200 OK', 'HTTP/1.1 422 Unprocessable Entity'], ['{"a":"b"}']])
  })
})
