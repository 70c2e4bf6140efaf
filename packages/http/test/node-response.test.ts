import { once } from 'node:events'
import {
  createServer,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type Server,
  type ServerResponse,
} from 'node:http'
import { connect } from 'node:net'
import { PassThrough, Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import { type CapturedResponse, captureResponse } from '../src/node.ts'
import type { HandlerAnswer } from '../src/protocol/exchange.ts'
import { listening, open, send } from './client.ts'
import { deferred } from './deferred.ts'

type Handler = (res: ServerResponse, req: IncomingMessage) => unknown
type Deliver = (captured: CapturedResponse, answer: HandlerAnswer) => unknown

const servers: { close(): unknown; closeAllConnections(): void }[] = []
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.close()
    server.closeAllConnections()
  }
})

/** A handler that does one thing after the other. */
const steps =
  (...each: Handler[]): Handler =>
  (res, req) => {
    for (const step of each) step(res, req)
  }
const flush: Handler = (res) => res.flushHeaders()
const write =
  (part: string): Handler =>
  (res) =>
    res.write(part)
const end =
  (part: string): Handler =>
  (res) =>
    res.end(part)

const release: Deliver = (captured) => captured.release()

/** A server that captures what `handler` answers to `/`, and answers anything else itself. */
async function serve(
  handler: Handler,
  {
    deliver = release,
    stream = false,
    capture = true,
    before = { 'X-Before': 'before' } as Record<string, string>,
    signal = new AbortController().signal,
    maxResponseBytes = 1000,
  } = {},
) {
  const answer = deferred<HandlerAnswer>()
  const response = deferred<ServerResponse>()
  const server = createServer((req, res) => {
    if (req.url !== '/') return res.end('other')
    for (const [name, value] of Object.entries(before)) res.setHeader(name, value)
    response.resolve(res)
    if (capture) {
      const captured = captureResponse(res, { maxResponseBytes, stream, whole: false, attempt: { signal } })
      captured.answered.then((given) => deliver(captured, given)).catch(() => captured.discard())
      captured.answered.then(answer.resolve, answer.reject)
    }
    handler(res, req)
  })
  servers.push(server)
  return { port: await listening(server), server, answer: answer.promise, response: response.promise }
}

/** A source that gives its parts at once, and never ends. */
const endless = () =>
  new Readable({
    read() {
      this.push(Buffer.alloc(1000))
    },
  })

/** A whole round trip, in which anything that had left would have arrived. */
const roundTrip = (port: number) => send(port, { path: '/other' })

/** The status, the names and values of the headers as they were written, and the body. */
async function told(port: number, headers: OutgoingHttpHeaders) {
  const message = await open(port, { headers })
  const volatile = /^(date|connection|keep-alive|content-length|transfer-encoding)$/i
  const fields = message.rawHeaders.flatMap((name, at) =>
    at % 2 === 0 && !volatile.test(name) ? [`${name}: ${message.rawHeaders[at + 1]}`] : [],
  )
  return { status: message.statusCode, fields: fields.sort(), body: text(await buffer(message)) }
}

const text = (bytes: Uint8Array) => Buffer.from(bytes).toString()

describe('an answer that is held', () => {
  it('makes a fast writer pause, as a connection does', async () => {
    const { port, answer } = await serve(
      async (res) => {
        let parts = 1
        while (res.write(Buffer.alloc(1000))) parts++
        await once(res, 'drain')
        res.end(String(parts))
      },
      { maxResponseBytes: 1_000_000 },
    )
    const message = await open(port)
    const { response } = await answer
    expect(response.body.length).toBeLessThan(100_000)
    expect(await buffer(message)).toEqual(Buffer.from(response.body))
  })

  const handlers: [string, Handler][] = [
    ['end(text)', (res) => res.end('hello')],
    ['end(text, encoding)', (res) => res.end('68656c6c6f', 'hex')],
    ['end(bytes)', (res) => res.end(Buffer.from([0, 255, 254]))],
    ['end()', (res) => res.end()],
    ['end(callback)', (res) => res.end(() => undefined)],
    ['a status and headers', (res) => res.writeHead(201, 'Made', { Location: '/1', 'Content-Length': 2 }).end('ok')],
    ['a message of its own', (res) => Object.assign(res, { statusCode: 202, statusMessage: 'Fine' }).end('ok')],
    ['204 with a body that is not sent', (res) => Object.assign(res, { statusCode: 204 }).end('nothing')],
    ['304', (res) => res.writeHead(304, { ETag: '"1"' }).end()],
    ['several headers of one name', (res) => res.setHeader('Link', ['<a>', '<b>']).end('ok')],
    ['one more value for a header', (res) => res.appendHeader('X-Before', 'more').end('ok')],
  ]

  it.each(handlers)('goes over the wire as without being held: %s', async (_, handler) => {
    const held = await send((await serve(handler)).port)
    const bare = await send((await serve(handler, { capture: false })).port)
    const plain = ({ status, headers, body }: typeof held) => ({
      status,
      headers: [...headers].sort(),
      body: body.toString('hex'),
    })
    expect(plain(held)).toEqual(plain(bare))
  })

  it('has the head that Node makes of any list, or the error', { timeout: 60_000 }, async () => {
    const writes: Handler = (res, { headers }) => {
      const { list, before } = JSON.parse(String(headers['x-form'])) as { list: never; before: [string, string][] }
      for (const [name, value] of before) res.setHeader(name, value)
      try {
        res.writeHead(201, list).end()
      } catch (error) {
        res.end((error as NodeJS.ErrnoException).code)
      }
    }
    const servers = await Promise.all(
      [{}, undefined].flatMap((before) =>
        [true, false].map((capture) => serve(writes, { capture, ...(before && { before }) })),
      ),
    )
    const name = fc.constantFrom('Link', 'X-A', 'Set-Cookie', 'X-Before', 'a b', '')
    const value = fc.constantFrom('1', 2, '<a>', ['1', '2'], ['3'], [], null)
    const list = fc.oneof(
      fc.array(fc.tuple(name, value), { maxLength: 4 }),
      fc.array(fc.tuple(name, value), { maxLength: 4 }).map((pairs) => pairs.flat(1)),
      fc.array(name, { maxLength: 3 }),
    )
    const before = fc.array(fc.tuple(fc.constantFrom('Link', 'X-A', 'X-Other'), fc.constant('0')), { maxLength: 2 })
    await fc.assert(
      fc.asyncProperty(list, before, async (list, before) => {
        const headers = { 'X-Form': JSON.stringify({ list, before }) }
        const [first, firstBare, later, laterBare] = await Promise.all(servers.map(({ port }) => told(port, headers)))
        expect(first).toEqual(firstBare)
        expect(later).toEqual(laterBare)
      }),
      { numRuns: 200 },
    )
  })

  it('is put together from what was written', async () => {
    const { port, answer } = await serve((res) => {
      const chunk = Buffer.from('two ')
      res.write('one ')
      res.write(chunk)
      chunk.fill(0)
      res.write('dGhyZWUg', 'base64')
      res.end('four')
    })
    expect(text((await send(port)).body)).toBe('one two three four')
    expect(text((await answer).response.body)).toBe('one two three four')
  })

  it('does not leave before it is released', async () => {
    const gate = deferred()
    const { port, answer } = await serve((res) => res.writeHead(201).end('hello'), {
      deliver: async (captured) => {
        await gate.promise
        captured.release()
      },
    })
    const socket = connect(port, '127.0.0.1')
    socket.write('POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
    await answer
    await roundTrip(port)
    expect(socket.bytesRead).toBe(0)
    gate.resolve()
    expect(text(await buffer(socket))).toContain('hello')
  })

  it('looks as if it had been sent, and what comes after it fails as ever', async () => {
    const seen = deferred<unknown[]>()
    const { port } = await serve((res) => {
      res.end('first')
      const codes: unknown[] = [res.headersSent, res.writableEnded]
      for (const late of [
        () => res.setHeader('X', '1'),
        () => res.removeHeader('X-Before'),
        () => res.writeHead(500),
      ]) {
        try {
          late()
        } catch (error) {
          codes.push((error as NodeJS.ErrnoException).code)
        }
      }
      res.once('error', (error: NodeJS.ErrnoException) => seen.resolve([...codes, error.code]))
      res.statusCode = 500
      res.write('more')
      res.end()
    })
    const { status, body } = await send(port)
    expect(await seen.promise).toEqual([
      true,
      true,
      ...Array(3).fill('ERR_HTTP_HEADERS_SENT'),
      'ERR_STREAM_WRITE_AFTER_END',
    ])
    expect([status, text(body)]).toEqual([200, 'first'])
  })

  it('is not begun by what Node does not take', async () => {
    const seen: unknown[] = []
    const { port } = await serve((res) => {
      const attempts = [
        () => res.end(5 as never),
        () => res.write(null),
        () => res.writeHead(99),
        () => res.writeHead(200, 'a\nb'),
      ]
      for (const attempt of attempts) {
        try {
          attempt()
        } catch (error) {
          seen.push((error as NodeJS.ErrnoException).code)
        }
      }
      res.writeHead(200, 'OK')
      res.end('fine')
    })
    expect(text((await send(port)).body)).toBe('fine')
    expect(seen).toEqual([
      'ERR_INVALID_ARG_TYPE',
      'ERR_STREAM_NULL_VALUES',
      'ERR_HTTP_INVALID_STATUS_CODE',
      'ERR_INVALID_CHAR',
    ])
  })

  it('tells its callbacks', async () => {
    const told: string[] = []
    const finished = deferred()
    const { port } = await serve((res) => {
      res.write('a', () => told.push('write'))
      res.write('b', 'utf8', () => told.push('write'))
      res.end('c', () => {
        told.push('end')
        finished.resolve()
      })
    })
    await send(port)
    await finished.promise
    expect(told).toEqual(['write', 'write', 'end'])
  })

  it('has the headers that the handler set, and none that was there before', async () => {
    const { port, answer } = await serve((res) => {
      res.setHeader('X-Before', 'before')
      res.setHeader('X-Own', ['1', '2'])
      res.end()
    })
    await send(port)
    expect((await answer).response.headers).toEqual([
      ['X-Own', '1'],
      ['X-Own', '2'],
    ])
  })

  it('has a header that the handler changed', async () => {
    const { port, answer } = await serve((res) => res.setHeader('X-Before', 'after').end())
    await send(port)
    expect((await answer).response.headers).toEqual([['X-Before', 'after']])
  })

  it('includes what those add who wrap writeHead inside, and leaves out what is added outside', async () => {
    const { port, answer } = await serve((res) => {
      const { writeHead } = res
      res.writeHead = (...values: never[]) => {
        res.setHeader('X-Inside', 'yes')
        return Reflect.apply(writeHead, res, values)
      }
      res.end()
    })
    expect((await send(port)).header('x-inside')).toBe('yes')
    expect((await answer).response.headers).toEqual([['X-Inside', 'yes']])
  })

  it('can be replaced by another', async () => {
    const { port } = await serve(
      (res) => res.writeHead(201, 'Made', { 'X-Own': '1', 'X-Before': 'after' }).end('mine'),
      {
        deliver: (captured) =>
          captured.replace({
            status: 409,
            headers: [
              ['X-Other', '1'],
              ['X-Other', '2'],
            ],
            body: Buffer.from('theirs'),
          }),
      },
    )
    const { status, body, headers } = await send(port)
    expect([status, text(body)]).toEqual([409, 'theirs'])
    expect(headers).toEqual([
      ['x-before', 'before'],
      ['x-other', '1'],
      ['x-other', '2'],
      ['content-length', '6'],
    ])
  })

  it('can be dropped, and the response is as before the handler', async () => {
    const { port, response } = await serve((res) => res.writeHead(201, { 'X-Own': '1' }).end('mine'), {
      deliver: async (captured) => {
        captured.discard()
        const res = await response
        expect([res.headersSent, res.writableEnded, res.statusCode]).toEqual([false, false, 200])
        res.end('anew')
      },
    })
    const { status, body, header } = await send(port)
    expect([status, text(body), header('x-own'), header('x-before')]).toEqual([200, 'anew', undefined, 'before'])
  })

  it('is an error when the handler destroys it', async () => {
    const { port, answer } = await serve((res) => res.destroy(new Error('gave up')))
    await expect(send(port)).rejects.toThrow()
    await expect(answer).rejects.toThrow('gave up')
  })

  it('has no body for HEAD', async () => {
    const { port, answer } = await serve((res) => res.setHeader('Content-Length', 5).end('hello'))
    expect((await send(port, { method: 'HEAD' })).header('content-length')).toBe('5')
    expect((await answer).response.body).toHaveLength(0)
  })
})

describe('an answer that passes', () => {
  const large = 'x'.repeat(1500)

  it.each<[string, Handler]>([
    [
      'an event stream',
      (res) => res.writeHead(200, { 'Content-Type': 'text/event-stream; charset=utf-8' }).write('first'),
    ],
    ['lines of JSON', (res) => res.setHeader('Content-Type', 'application/x-ndjson').write('first')],
    ['flushed headers', steps(flush, write('first'))],
    ['headers flushed after a write', steps(write('first'), flush)],
    ['a body over the limit', steps(write('first'), write(large))],
  ])('reaches the client before the handler ends: %s', async (_, begin) => {
    const { port, answer, response } = await serve(begin)
    const message = await open(port)
    const [chunk] = (await once(message, 'data')) as [Buffer]
    expect(text(chunk)).toMatch(/^first/)
    ;(await response).end('last')
    expect(text(await buffer(message))).toMatch(/last$/)
    const { response: kept, replayable } = await answer
    expect([kept.status, kept.body.length, replayable]).toEqual([200, 0, false])
  })

  it('passes whatever it is where that was asked for', async () => {
    const { port, answer } = await serve((res) => res.end('short'), { stream: true })
    expect(text((await send(port)).body)).toBe('short')
    expect(await answer).toMatchObject({ replayable: false })
  })

  it.each<[string, Handler]>([
    ['ended with its last part', steps(flush, write('first'), end('last'))],
    [
      'of a declared length',
      steps((res) => res.writeHead(200, { 'Content-Length': 9 }), flush, write('first'), write('last'), end('')),
    ],
    ['too large, written at once', (res) => res.end(`first${large}last`)],
  ])('does not end before it is released: %s', async (_, handler) => {
    const gate = deferred()
    const { port, answer } = await serve(handler, {
      deliver: async (captured) => {
        await gate.promise
        captured.release()
      },
    })
    const socket = connect(port, '127.0.0.1')
    socket.write('POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
    let received = ''
    socket.on('data', (chunk) => {
      received += chunk
    })
    expect(await answer).toMatchObject({ replayable: false })
    await roundTrip(port)
    expect(received).not.toContain('last')
    gate.resolve()
    await once(socket, 'end')
    expect(received).toContain('last')
  })

  it.each<[string, (server: Server) => unknown]>([
    ['closes', (server) => server.close()],
    ['closes its idle connections', (server) => server.closeIdleConnections()],
  ])('reaches its client though the server %s while it is held', async (_, close) => {
    const gate = deferred()
    const { port, answer, server, response } = await serve(end('mine'), {
      deliver: async (captured) => {
        await gate.promise
        captured.release()
      },
    })
    const message = open(port)
    await answer
    close(server)
    expect((await response).writableEnded).toBe(true)
    gate.resolve()
    expect(String(await buffer(await message))).toBe('mine')
  })

  it('is cut where it should be replaced', async () => {
    const { port } = await serve(steps(flush, end('mine')), {
      deliver: (captured) => captured.replace({ status: 409, headers: [], body: Buffer.from('theirs') }),
    })
    const message = await open(port)
    await expect(buffer(message)).rejects.toThrow()
  })

  it('is cut where it should be dropped', async () => {
    const { port } = await serve(steps(flush, end('mine')), { deliver: (captured) => captured.discard() })
    await expect(buffer(await open(port))).rejects.toThrow()
  })

  it('makes a fast writer wait for a slow reader', async () => {
    const { port, response } = await serve((res) => res.flushHeaders())
    const message = await open(port)
    const res = await response
    const chunk = Buffer.alloc(64 * 1024)
    let written = 0
    while (res.write(chunk)) written += chunk.length
    expect(written).toBeLessThan(64 * 1024 * 1024)
    const drained = once(res, 'drain')
    const rest = buffer(message)
    await drained
    res.end()
    expect((await rest).length).toBe(written + chunk.length)
  })
})

describe('a client that goes away', () => {
  /** Starts a request whose client leaves as soon as the handler runs. */
  async function abandoned(handler: Handler) {
    const started = deferred()
    const left = deferred()
    const closed = deferred()
    const served = await serve(async (res, req) => {
      res.on('close', closed.resolve)
      req.socket.on('close', () => left.resolve())
      started.resolve()
      await left.promise
      // as ever, a pipeline rejects when its client is gone
      await Promise.resolve(handler(res, req)).catch(() => undefined)
    })
    const leave = new AbortController()
    const request = send(served.port, { signal: leave.signal })
    await started.promise
    leave.abort()
    await expect(request).rejects.toThrow()
    return { ...served, closed: closed.promise }
  }

  it.each<[string, Handler]>([
    ['end', (res) => res.end('hello')],
    ['write', steps(write('he'), end('llo'))],
    ['pipe', (res) => Readable.from(['he', 'llo']).pipe(res)],
    ['pipeline', (res) => pipeline(Readable.from(['he', 'llo']), res)],
    [
      'pipeline of a generator',
      (res) =>
        pipeline(async function* () {
          yield 'hello'
        }, res),
    ],
  ])('does not keep the answer from being complete: %s', async (_, handler) => {
    const { answer, closed } = await abandoned(handler)
    const { response, replayable } = await answer
    expect([text(response.body), replayable]).toEqual(['hello', true])
    await closed
  })

  it('does not cut off a stream that is on its way into the answer', async () => {
    const source = new PassThrough()
    const { port, answer, response } = await serve((res) => {
      source.pipe(res)
      source.write('he')
    })
    const leave = new AbortController()
    const request = send(port, { signal: leave.signal })
    const gone = once((await response).req.socket, 'close')
    leave.abort()
    await expect(request).rejects.toThrow()
    await gone
    source.end('llo')
    expect(text((await answer).response.body)).toBe('hello')
  })

  it.each<[string, Handler]>([
    ['end', end('hello')],
    ['pipeline', (res) => pipeline(Readable.from(['he', 'llo']), res)],
  ])('may have done so before anybody wrote: %s', async (_, handler) => {
    const answer = deferred<HandlerAnswer>()
    const started = deferred()
    const server = createServer(async (req, res) => {
      started.resolve()
      if (!req.socket.destroyed) await once(req.socket, 'close')
      const captured = captureResponse(res, { maxResponseBytes: 1000, stream: false, whole: false })
      captured.answered.then(answer.resolve, answer.reject)
      await Promise.resolve(handler(res, req)).catch(() => undefined)
    })
    servers.push(server)
    const leave = new AbortController()
    const request = send(await listening(server), { signal: leave.signal })
    await started.promise
    leave.abort()
    await expect(request).rejects.toThrow()
    expect(text((await answer.promise).response.body)).toBe('hello')
  })

  it('lets a response be destroyed that has no connection any more', async () => {
    const { answer } = await abandoned((res) => res.destroy(new Error('gave up')))
    await expect(answer).rejects.toThrow('gave up')
  })

  it('is told to those who listen once the answer is over', async () => {
    const { answer, closed, response } = await abandoned((res) => {
      expect(res.destroyed).toBe(false)
      res.end()
    })
    await answer
    await closed
    expect((await response).destroyed).toBe(true)
  })

  it('leaves a stream that passes to go on to its end', async () => {
    const source = new PassThrough()
    const { port, answer, response } = await serve((res) => {
      res.flushHeaders()
      source.pipe(res)
    })
    const message = await open(port)
    const gone = once((await response).socket ?? source, 'close')
    message.destroy()
    await gone
    for (let part = 0; part < 100; part++) {
      if (!source.write(Buffer.alloc(64 * 1024))) await once(source, 'drain')
    }
    source.end()
    expect(await answer).toMatchObject({ replayable: false, response: { status: 200 } })
  })

  it('leaves a generator that passes to go on to its end', async () => {
    const left = deferred()
    async function* parts() {
      yield 'first'
      await left.promise
      yield 'second'
    }
    const { port, answer, response } = await serve((res) => {
      res.flushHeaders()
      pipeline(parts, res).catch(() => undefined)
    })
    const message = await open(port)
    const gone = once((await response).req.socket, 'close')
    message.destroy()
    await gone
    left.resolve()
    expect(await answer).toMatchObject({ replayable: false, response: { status: 200 } })
  })

  it('is waited for no longer than the handler may run', async () => {
    const time = new AbortController()
    const closed = deferred()
    const { port, answer, response } = await serve((res) => res.on('close', closed.resolve).flushHeaders(), {
      signal: time.signal,
    })
    const message = await open(port)
    const gone = once((await response).req.socket, 'close')
    message.destroy()
    await gone
    time.abort()
    await expect(answer).rejects.toThrow('in time')
    await closed.promise
  })

  it('leaves others their turn, though a source that never waits has no end', async () => {
    const time = new AbortController()
    const { port, answer, response } = await serve(
      (res) => {
        res.flushHeaders()
        endless().pipe(res)
      },
      { signal: time.signal },
    )
    const message = await open(port)
    const { socket } = (await response).req
    // with parts on their way, the connection fails
    const gone = new Promise((resolve) => socket.once('close', resolve))
    message.destroy()
    await gone
    time.abort()
    await expect(answer).rejects.toThrow('in time')
  })

  it('tells a writer that waits for the connection to go on', async () => {
    const { port, answer, response } = await serve((res) => res.flushHeaders())
    const message = await open(port)
    const res = await response
    while (res.write(Buffer.alloc(64 * 1024)));
    const drained = once(res, 'drain')
    message.destroy()
    await drained
    expect(res.write('more')).toBe(true)
    res.end()
    expect(await answer).toMatchObject({ replayable: false })
  })

  it('ends an answer whose source went with it, since the handler had it ready', async () => {
    const source = new PassThrough()
    const { answer } = await abandoned((res) => {
      res.statusCode = 202
      source.pipe(res)
      source.write('begun')
      source.destroy()
    })
    expect(await answer).toMatchObject({ replayable: false, response: { status: 202 } })
  })

  it('does not make a failure of the source a success', async () => {
    const source = new PassThrough()
    const { answer } = await abandoned((res) => {
      pipeline(source, res).catch(() => undefined)
      source.destroy(new Error('disk on fire'))
    })
    await expect(answer).rejects.toThrow()
  })
})
