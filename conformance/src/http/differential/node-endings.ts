/** Handlers that answer by Node's own response, which every framework on Node hands out. */
import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Http2ServerResponse } from 'node:http2'
import { Readable } from 'node:stream'
import { finished, pipeline } from 'node:stream/promises'
import { setImmediate as turn } from 'node:timers/promises'
import type { Ending } from './application.ts'

export type NodeEnding = Ending<[res: ServerResponse, req: IncomingMessage]>

type Handle = NodeEnding['handle']

const answered = (name: string, handle: Handle, more: Partial<NodeEnding> = {}): NodeEnding => ({
  name,
  end: 'answered',
  handle,
  ...more,
})
/** A transaction holds every answer until it commits. */
const streamed = { unreplayable: ['before', 'given'] } as const
const destroyed = (name: string, handle: Handle): NodeEnding => ({ name, end: 'destroyed', handle })

/** A transaction would wait for an answer on the response. */
const hijacked = (name: string, handle: Handle): NodeEnding => ({
  name,
  end: 'hijacked',
  handle,
  guarded: ['before', 'given'],
})

const statuses = [200, 201, 204, 205, 206, 207, 300, 304, 400, 401, 404, 409, 410, 418, 422, 429, 500, 503, 599]

async function* pieces(failsAfter: number): AsyncGenerator<string> {
  for (let at = 0; at < 3; at++) {
    if (at >= failsAfter) throw new Error('declined')
    await turn()
    yield `piece ${at};`
  }
}

/** Makes a stream of three pieces, each in a turn of its own, which may fail after some of them. */
export function streamOf(failsAfter = Number.POSITIVE_INFINITY): Readable {
  return Readable.from(pieces(failsAfter), { objectMode: false })
}

const bodies: readonly NodeEnding[] = [
  answered('ends without a body', (res) => res.end()),
  answered('ends with a text', (res) => res.end('text')),
  answered('ends with bytes', (res) => res.end(Buffer.from([0, 255, 128]))),
  answered('ends with an encoding', (res) => res.end('aGk=', 'base64')),
  answered('ends with a callback', (res) => res.end('text', () => {})),
  answered('ends with a callback alone', (res) => res.end(() => {})),
  answered('writes, then ends', (res) => {
    res.write('one')
    res.write(new Uint8Array([116, 119, 111]))
    res.end('three')
  }),
  answered('writes an empty text', (res) => {
    res.write('')
    res.end('text')
  }),
  answered('writes in later turns', async (res) => {
    for (const piece of ['one', 'two']) {
      res.write(piece)
      await turn()
    }
    res.end()
  }),
  answered('waits for its writes', async (res) => {
    await new Promise<void>((resolve) => res.write('one', () => resolve()))
    res.end('two')
  }),
  answered('corks', (res) => {
    res.cork()
    res.write('one')
    res.uncork()
    res.end('two')
  }),
  answered('ends when the handler has returned', (res) => void turn().then(() => res.end('late'))),
  answered('pipes a stream', (res) => streamOf().pipe(res)),
  answered('runs a pipeline', (res) => pipeline(streamOf(), res)),
  answered('waits until it has finished', (res) => once(res.end('text'), 'finish')),
  answered('waits until it has closed', (res) => finished(res.end('text'))),
  answered('waits for the callback of its end', (res) => new Promise<void>((resolve) => res.end('text', resolve))),
  answered('ends twice', (res) => {
    res.on('error', () => {})
    res.end('once')
    res.end()
  }),
  answered('writes more than is kept', (res) => res.end(Buffer.alloc(1_500_000, 'x')), {
    unreplayable: ['before', 'given', 'transaction'],
  }),
  answered('sets a time limit', (res) => {
    res.setTimeout(60_000, () => {})
    res.end('x')
  }),
  answered('tells of its stream', (res) => {
    const told = [res.writableCorked, res.writableHighWaterMark, res.writableLength, res.finished]
    res.end(JSON.stringify([...told, res.socket?.remoteAddress, res.connection?.remoteAddress]))
  }),
  answered('says whether its head was sent', (res) => {
    const before = res.headersSent
    res.write('x')
    res.end(`${before} ${res.headersSent} ${res.writableEnded}`)
  }),
]

const heads: readonly NodeEnding[] = [
  // Node takes a text and a fraction too
  ...[...statuses, '201', 201.9].map((status) =>
    answered(`answers ${JSON.stringify(status)}`, (res) => {
      res.statusCode = status as number
      res.end('body')
    }),
  ),
  answered('writes a head', (res) => res.writeHead(201).end('x')),
  answered('writes a head with a reason', (res) => res.writeHead(201, 'Made').end('x')),
  answered('writes a head with headers', (res) => res.writeHead(201, { 'X-One': '1', 'x-two': ['2', '3'] }).end('x')),
  answered('writes a head with a reason and headers', (res) => res.writeHead(201, 'Made', { 'X-One': 1 }).end('x')),
  answered('writes a head with a list', (res) =>
    res.writeHead(201, ['X-One', '1', 'Set-Cookie', 'a=1', 'Set-Cookie', 'b=2']).end('x'),
  ),
  answered('writes a head over headers that were set', (res) => {
    res.setHeader('X-One', '1')
    res.setHeader('X-Two', '2')
    res.writeHead(200, { 'x-one': 'one' }).end('x')
  }),
  answered('writes a head with a list over headers that were set', (res) => {
    res.setHeader('X-One', '1')
    res.writeHead(200, ['X-One', 'one', 'X-One', 'more']).end('x')
  }),
  answered('sets cookies', (res) => {
    res.setHeader('Set-Cookie', ['a=1', 'b=2'])
    res.end('x')
  }),
  answered('appends to a header', (res) => {
    res.setHeader('Vary', 'Origin')
    res.appendHeader('Vary', 'Accept')
    res.end('x')
  }),
  answered('takes a header back', (res) => {
    res.setHeader('X-One', '1')
    res.removeHeader('X-One')
    res.end('x')
  }),
  answered('sets a reason', (res) => {
    res.statusMessage = 'Fine'
    res.end('x')
  }),
  answered('sets a header of Latin-1', (res) => {
    res.setHeader('X-Name', 'caf\u00e9')
    // Node writes the head in the encoding of a text that ends an answer
    res.end(new Uint8Array([120]))
  }),
  answered('sets an empty header', (res) => {
    res.setHeader('X-Empty', '')
    res.end('x')
  }),
  answered('tells its headers', (res) => {
    res.setHeader('X-One', '1')
    res.end(JSON.stringify([res.getHeaderNames(), res.hasHeader('x-one'), res.getHeader('X-ONE')]))
  }),
  answered('tells all its headers', (res) => {
    res.setHeader('X-One', ['1', '2'])
    res.end(JSON.stringify(res.getHeaders()))
  }),
  answered('sends no date', (res) => {
    res.sendDate = false
    res.end('x')
  }),
  answered('redirects', (res) => res.writeHead(303, { Location: '/elsewhere' }).end()),
  answered('declares its length', (res) => {
    res.setHeader('Content-Length', '6')
    res.write('one')
    res.end('two')
  }),
  answered('answers a part', (res) => res.writeHead(206, { 'Content-Range': 'bytes 0-0/2' }).end('x')),
]

const early: readonly NodeEnding[] = [
  answered('sends early hints', (res) => {
    res.writeEarlyHints({ link: '</style.css>; rel=preload' })
    res.end('x')
  }),
  answered(
    'flushes its head',
    (res) => {
      res.flushHeaders()
      res.end('x')
    },
    streamed,
  ),
  answered(
    'sends events',
    async (res) => {
      res.writeHead(200, { 'Content-Type': 'text/event-stream' })
      res.write('data: 1\n\n')
      await turn()
      res.end('data: 2\n\n')
    },
    streamed,
  ),
  answered('sends trailers', (res) => {
    res.writeHead(200, { Trailer: 'X-Sum' })
    res.write('x')
    res.addTrailers({ 'X-Sum': '1' })
    res.end()
  }),
]

const cut: readonly NodeEnding[] = [
  destroyed('destroys its answer', (res) => res.destroy()),
  destroyed('destroys its answer with an error', (res) => {
    res.on('error', () => {})
    res.destroy(new Error('declined'))
  }),
  destroyed('destroys its answer later', async (res) => {
    await turn()
    res.destroy()
  }),
  destroyed('destroys its answer after a part', (res) => {
    res.write('part')
    res.destroy()
  }),
  destroyed('destroys its answer after its head', (res) => {
    res.writeHead(200)
    res.destroy()
  }),
  destroyed('destroys its answer after it was flushed', async (res) => {
    res.writeHead(200, { 'Content-Type': 'text/event-stream' })
    res.write('data: 1\n\n')
    await turn()
    res.destroy()
  }),
  destroyed('pipes a stream that fails', async (res) => {
    await pipeline(streamOf(2), res).catch(() => undefined)
  }),
  destroyed('pipes a stream that is destroyed', async (res) => {
    const stream = new Readable({ read() {} })
    turn().then(() => stream.destroy(new Error('declined')))
    await pipeline(stream, res).catch(() => undefined)
  }),
]

const http2: readonly NodeEnding[] = [
  answered('sends a trailer', (res) => {
    const response = res as unknown as Http2ServerResponse
    response.write('x')
    response.setTrailer('x-sum', '1')
    response.end()
  }),
  answered('says that it goes on', (res) => {
    res.writeContinue()
    res.end('x')
  }),
  answered('pushes', async (res) => {
    const response = res as unknown as Http2ServerResponse
    await new Promise<void>((resolve) => {
      response.createPushResponse({ ':path': '/style.css' }, (_error, pushed) => {
        pushed?.end('style')
        resolve()
      })
    })
    response.end('x')
  }),
  hijacked('answers on its stream', (res) => {
    const { stream } = res as unknown as Http2ServerResponse
    stream.respond({ ':status': 201, 'x-one': '1' })
    stream.end('x')
  }),
  hijacked('answers a file on its stream', (res) => {
    const { stream } = res as unknown as Http2ServerResponse
    stream.respondWithFile(import.meta.filename, { 'content-type': 'text/plain' })
  }),
]

/** Those of HTTP/1.1 alone: HTTP/2 knows no chunks, and destroys a stream that is written to after its end. */
const http1: readonly NodeEnding[] = [
  ...cut,
  answered('declares chunks', (res) => {
    res.setHeader('Transfer-Encoding', 'chunked').write('one')
    res.end('two')
  }),
  answered('writes after its end', (res) => {
    res.on('error', () => {})
    res.end('once')
    res.write('more')
  }),
  answered('says that it goes on', (res) => {
    res.writeContinue()
    res.end('x')
  }),
  answered('sets several headers at once', (res) => {
    res.setHeaders(new Headers({ 'X-One': '1' }))
    res.setHeaders(new Map([['X-Two', ['2', '3']]]))
    res.end(JSON.stringify(res.getRawHeaderNames()))
  }),
  answered('sends exactly what it declares', (res) => {
    res.strictContentLength = true
    res.setHeader('Content-Length', '1').end('x')
  }),
  answered('closes the connection', (res) => {
    res.shouldKeepAlive = false
    res.end('x')
  }),
  answered('tells more of its stream', (res) => {
    res.end(JSON.stringify([res.writableObjectMode, res.errored, res.closed, res.writable, res.destroyed]))
  }),
  hijacked('answers on its socket', (res) => {
    const { socket } = res
    socket?.end('HTTP/1.1 201 Created\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx')
  }),
  hijacked('takes its socket, and answers there', (res) => {
    const { socket } = res
    if (!socket) return
    res.detachSocket(socket)
    socket.end('HTTP/1.1 201 Created\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx')
  }),
  answered('says that it is at work', (res) => {
    res.writeProcessing()
    res.end('x')
  }),
  destroyed('destroys its socket', (_res, req) => req.socket.destroy()),
  destroyed('destroys its socket after a part', (res, req) => {
    res.write('part')
    req.socket.destroy()
  }),
  {
    name: 'closes its connection as a server does that shuts down',
    end: 'silent',
    handle: (_res, req) => req.socket.resetAndDestroy(),
    guarded: ['before', 'given'],
  },
]

/** A client of HTTP/2 takes an answer that was destroyed for complete: endings of that kind show nothing there. */
export const http2Endings: readonly NodeEnding[] = [...bodies, ...heads, ...early, ...http2]
export const nodeEndings: readonly NodeEnding[] = [...bodies, ...heads, ...early, ...http1]

/** The framework's own arguments, from which Node's are taken. */
export function onNode<Arguments extends readonly unknown[]>(
  endings: readonly NodeEnding[],
  nodeOf: (...parameters: Arguments) => readonly [ServerResponse, IncomingMessage],
  more: Partial<Ending<Arguments>> = {},
): Ending<Arguments>[] {
  return endings.map((ending) => ({
    ...ending,
    name: `response: ${ending.name}`,
    handle: (...parameters) => ending.handle(...nodeOf(...parameters)),
    ...more,
  }))
}
