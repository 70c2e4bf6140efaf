/** Handlers that answer by Node's own response, which every framework on Node hands out. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Http2ServerResponse } from 'node:http2'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setImmediate as turn } from 'node:timers/promises'
import type { Ending } from '../application.ts'
import { bodies, heads } from './node-answers.ts'
import { answered, destroyed, hijacked, type NodeEnding, streamed, streamOf } from './node-ending.ts'

const early: readonly NodeEnding[] = [
  answered('sends early hints', (res) => {
    res.writeEarlyHints({ link: '</style.css>; rel=preload' })
    res.end('x')
  }),
  answered('sends information', (res) => {
    // Node 24 has it
    const { writeInformation } = res as { writeInformation?(status: number, headers: object): void }
    writeInformation?.call(res, 103, { link: '</style.css>; rel=preload' })
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
    'flushes a head with plain headers',
    (res) => {
      res.writeHead(201, { 'x-one': '1' }).flushHeaders()
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
    res.write('x')
    const { setTrailer } = res as unknown as { setTrailer(name: string, value: string): void }
    setTrailer.call(res, 'x-sum', '1')
    res.end()
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
    const { getRawHeaderNames } = res as unknown as { getRawHeaderNames(): string[] }
    res.end(JSON.stringify(getRawHeaderNames.call(res)))
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
