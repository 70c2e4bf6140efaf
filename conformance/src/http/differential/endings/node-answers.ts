/** Complete answers on Node's own response. */
import { once } from 'node:events'
import { finished, pipeline } from 'node:stream/promises'
import { setImmediate as turn } from 'node:timers/promises'
import { answered, type NodeEnding, streamOf } from './node-ending.ts'

const statuses = [200, 201, 204, 205, 206, 207, 300, 304, 400, 401, 404, 409, 410, 418, 422, 429, 500, 503, 599]

export const bodies: readonly NodeEnding[] = [
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
    const { writableCorked, writableHighWaterMark, writableLength, writableObjectMode, finished } = res
    const told = [writableCorked, writableHighWaterMark, writableLength, writableObjectMode, finished]
    res.end(JSON.stringify([...told, res.socket?.remoteAddress, res.connection?.remoteAddress]))
  }),
  answered('says whether its head was sent', (res) => {
    const before = res.headersSent
    res.write('x')
    res.end(`${before} ${res.headersSent} ${res.writableEnded}`)
  }),
]

/** Node writes them as they are. */
const plain = { 'x-one': '1', 'content-type': 'text/plain' }

export const heads: readonly NodeEnding[] = [
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
  answered('writes a head with plain headers', (res) => res.writeHead(201, plain).end('x')),
  answered('writes a head with plain headers, and nothing', (res) => res.writeHead(201, plain).end()),
  answered('writes a head with plain headers, and parts', (res) => {
    res.writeHead(201, plain).write('x')
    res.end('y')
  }),
  answered('writes a head with plain headers and a length', (res) =>
    res.writeHead(201, 'Made', { ...plain, 'content-length': '1' }).end('x'),
  ),
  answered('writes a head of 204 with plain headers', (res) => res.writeHead(204, plain).end()),
  answered('writes a head with plain headers that change afterwards', (res) => {
    const headers = { ...plain }
    res.writeHead(201, headers)
    headers['x-one'] = '2'
    res.end('x')
  }),
  answered('writes a head with plain headers in a wrapper', (res) => {
    const { writeHead } = res
    const wrapped = (status: number) => writeHead.call(res, status, plain)
    res.writeHead = wrapped
    res.end('x')
  }),
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
  answered('sets a list of numbers', (res) => {
    res.setHeader('X-Sizes', [1, 2] as unknown as string[])
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
