/** Handlers of Fastify. */
import { Readable, Stream } from 'node:stream'
import { setImmediate as turn } from 'node:timers/promises'
import { type FastifyReply, type FastifyRequest, fastify } from 'fastify'
import type { Ending } from '../../../../conformance/src/http/differential/application.ts'
import { streamOf } from '../../../../conformance/src/http/differential/endings/node-ending.ts'
import {
  http2Endings,
  nodeEndings,
  onNode,
} from '../../../../conformance/src/http/differential/endings/node-endings.ts'
import {
  describeAnswer,
  describedProgram,
  programEnding,
  programOf,
} from '../../../../conformance/src/http/differential/endings/programs.ts'
import { thrownValues } from '../../../../conformance/src/http/differential/endings/thrown-values.ts'

export type FastifyEnding = Ending<[request: FastifyRequest, reply: FastifyReply]>

type Handle = (reply: FastifyReply, request: FastifyRequest) => unknown

const answered = (name: string, handle: Handle, more: Partial<FastifyEnding> = {}): FastifyEnding => ({
  name,
  end: 'answered',
  handle: (request, reply) => handle(reply, request),
  ...more,
})

/** An answer that comes when the handler has returned: a transaction needs a handler that is waited for. */
const later = (name: string, handle: Handle, more: Partial<FastifyEnding> = {}): FastifyEnding =>
  answered(name, handle, { guarded: ['before', 'given'], ...more })

const threw = (name: string, handle: Handle, more: Partial<FastifyEnding> = {}): FastifyEnding => ({
  ...answered(name, handle, more),
  end: 'threw',
})

/** Before 5.12.8, and in the first of 6, Fastify ends a stream without its trailers. A guard sends them, as it has the whole body. */
const { version } = fastify()
const endsWithTrailers =
  version.localeCompare('5.12.8', 'en', { numeric: true }) >= 0 && !version.startsWith('6.0.0-alpha.')
const streamsWithTrailers = endsWithTrailers
  ? [later('sends a stream with trailers', (reply) => void reply.trailer('x-sum', async () => '1').send(streamOf()))]
  : []

const webStreamOf = () => new Blob(['piece 0;piece 1;']).stream()

const cycle: Record<string, unknown> = {}
cycle.self = cycle

const returned: readonly FastifyEnding[] = [
  answered('returns an object', () => ({ a: 1 })),
  answered('returns an object later', async () => ({ a: 1 })),
  answered('returns a text', async () => 'text'),
  answered('returns bytes', async () => Buffer.from('bytes')),
  answered('returns a typed array', async () => new Uint8Array([1, 2, 255])),
  answered('returns a number', async () => 402),
  answered('returns null', async () => null),
  answered('returns false', async () => false),
  answered('returns a list', async () => [1, 2]),
  answered('returns a stream', async () => streamOf()),
  answered('returns a web stream', async () => webStreamOf()),
  answered('returns a Response', async () => new Response('text', { status: 201, headers: { 'X-One': '1' } })),
  answered('returns a Response with cookies', async () => {
    const headers: [string, string][] = [
      ['set-cookie', 'a=1'],
      ['set-cookie', 'b=2'],
    ]
    return new Response('text', { headers })
  }),
  answered(
    'returns a Response that says that it is chunked',
    async () => new Response('text', { headers: { 'transfer-encoding': 'chunked' } }),
  ),
  answered('returns nothing with 204', async (reply) => {
    reply.code(204)
  }),
  answered('returns the reply', async (reply) => reply.send({ a: 1 })),
  answered('returns the reply in a later turn', async (reply) => {
    await turn()
    return reply.send({ late: true })
  }),
  answered('returns the reply of a stream', async (reply) => reply.send(streamOf())),
  answered('returns the reply of a stream with a length', async (reply) =>
    reply.header('content-length', '24').send(streamOf()),
  ),
  answered('returns the reply of a web stream', async (reply) => reply.send(webStreamOf())),
  // for which Fastify answers itself, with nothing
  answered('returns nothing, and sends too late', async (reply) => void turn().then(() => reply.send({ late: true }))),
  answered('answers, then returns something else', async (reply) => {
    reply.send({ first: true })
    return { second: true }
  }),
]

const sent: readonly FastifyEnding[] = [
  answered('sends an object', (reply) => void reply.send({ a: 1 })),
  answered('sends nothing', (reply) => void reply.send()),
  answered('sends null', (reply) => void reply.code(201).send(null)),
  answered('sends with 204', (reply) => void reply.code(204).send('dropped')),
  answered('sends with 205', (reply) => void reply.code(205).send()),
  answered('sends with 304', (reply) => void reply.code(304).send()),
  later('sends in a later turn', (reply) => void turn().then(() => reply.send({ late: true }))),
  later('sends a stream', (reply) => void reply.send(streamOf())),
  later('sends a stream with a length', (reply) => void reply.header('content-length', '24').send(streamOf())),
  later('sends a stream of the first kind', (reply) => {
    const stream = new Stream() as Readable
    reply.send(stream)
    // all of it in one turn, as JSONStream does
    for (const event of ['data', 'end', 'close']) stream.emit(event, Buffer.from('piece'))
  }),
  later('writes a head, then sends a stream', (reply) => {
    reply.raw.writeHead(201, { 'X-One': '1' })
    reply.send(streamOf())
  }),
  answered('sends a stream, then ends by itself', (reply) => {
    reply.send(new Readable({ read() {} }))
    reply.raw.end('raw')
  }),
  ...streamsWithTrailers,
  later('sends a web stream of texts', (reply) => void reply.send(ReadableStream.from(['one', 'two']))),
  later('sends a web stream', (reply) => void reply.send(webStreamOf())),
  answered('sends a serialized text', (reply) => void reply.type('application/json').serializer(String).send({ a: 1 })),
  answered('sends an error as an answer', (reply) => void reply.code(404).send({ error: 'none' })),
  answered('redirects', (reply) => void reply.redirect('/elsewhere')),
  answered('redirects with a status', (reply) => void reply.redirect('/elsewhere', 303)),
  answered('sets headers', (reply) => void reply.headers({ 'X-One': '1', 'X-Two': ['2', '3'] }).send('text')),
  answered(
    'sets cookies',
    (reply) => void reply.header('set-cookie', 'a=1').header('set-cookie', ['b=2', 'c=3']).send('text'),
  ),
  answered('sets a list of numbers', (reply) => void reply.header('x-sizes', [1, 2]).send('text')),
  answered('removes a header', (reply) => void reply.header('x-one', '1').removeHeader('x-one').send('text')),
  answered('sends trailers', (reply) => void reply.trailer('x-sum', async () => '1').send('text')),
  answered('sends by its other name of a status', (reply) => void reply.status(201).send({ a: 1 })),
  answered('sets the code of a status', (reply) => {
    reply.statusCode = 202
    reply.send({ a: 1 })
  }),
  answered('sends what it serialized', (reply) => void reply.type('text/plain').send(reply.serialize({ a: 1 }))),
  answered('sends what a schema serialized', (reply) => {
    const schema = { type: 'object', properties: { a: { type: 'string' } } }
    const serialize = reply.compileSerializationSchema(schema)
    const again = reply.getSerializationFunction(schema)
    reply
      .type('text/plain')
      .send([serialize({ a: 1 }), again?.({ a: 2 }), reply.serializeInput({ a: 3 }, schema)].join())
  }),
  answered('tells what it is', (reply) => {
    reply
      .header('x-one', '1')
      .type('application/json')
      .trailer('x-sum', async () => '1')
    const told = [reply.getHeader('x-one'), reply.hasHeader('x-one'), reply.hasTrailer('x-sum'), reply.sent]
    reply.removeTrailer('x-sum')
    const { mediaType } = reply as { readonly mediaType?: string }
    reply.send([...told, reply.hasTrailer('x-sum'), reply.statusCode, mediaType])
  }),
  answered('waits until it was sent', async (reply) => {
    reply.send({ a: 1 })
    await reply
  }),
  answered('sends a file', (reply) => reply.sendFile('endings.ts')),
  answered('sends a part of a file', (reply) => reply.sendFile('endings.ts'), { headers: { Range: 'bytes=2-9' } }),
  answered('sends a file that is missing', (reply) => reply.sendFile('missing.txt')),
  answered('sends a download', (reply) => reply.download('endings.ts', 'renamed.txt')),
  answered('writes early hints', (reply) => {
    // 5.0 has none
    reply.writeEarlyHints?.({ link: '</style.css>; rel=preload' })
    reply.send('text')
  }),
  answered('sends early hints', (reply) => {
    reply.raw.writeEarlyHints({ link: '</style.css>; rel=preload' })
    reply.send('text')
  }),
  answered('forgets to return', (reply) => {
    reply.code(404).send({ error: 'no amount' })
    reply.send({ ok: true })
  }),
  answered('finds nothing', (reply) => void reply.callNotFound()),
  answered('hijacks', (reply) => {
    reply.hijack()
    reply.raw.end('raw')
  }),
  answered('hijacks in a later turn', async (reply) => {
    reply.hijack()
    await turn()
    reply.raw.writeHead(201, { 'X-Raw': '1' }).end('raw')
  }),
  // Fastify logs the error; a transaction is rolled back for it, and answers otherwise
  later('answers, then rejects', async (reply) => {
    reply.send({ a: 1 })
    throw new Error('declined')
  }),
  answered('tells its headers', (reply) => void reply.header('x-one', '1').send(Object.keys(reply.getHeaders()))),
]

const failures: readonly FastifyEnding[] = [
  ...thrownValues.flatMap(({ name, make }): FastifyEnding[] => [
    threw(`throws ${name}`, () => {
      throw make()
    }),
    threw(`rejects with ${name}`, async () => {
      await turn()
      throw make()
    }),
  ]),
  threw('sends an error', (reply) => void reply.send(new Error('declined'))),
  threw('sends an error with a status', (reply) => void reply.code(402).send(new Error('declined'))),
  threw('returns an error', async () => new Error('declined')),
  threw('sends a header that is refused', (reply) => void reply.header('x-name', '\u65e5\u672c').send({})),
  threw('sends what cannot be serialized', (reply) => void reply.send(cycle)),
  threw('sends a type that is refused', (reply) => void reply.type('text/plain').send({ a: 1 })),
  threw('sends a stream that fails at once', async (reply) => reply.send(streamOf(0))),
  threw('sends a stream that fails midway', async (reply) => reply.send(streamOf(2))),
  threw('sends a stream that is used up', async (reply) => {
    const stream = webStreamOf()
    stream.getReader()
    return reply.send(stream)
  }),
  threw('sets headers, then rejects', async (reply) => {
    reply.code(201).header('x-one', '1')
    await turn()
    throw new Error('declined')
  }),
  threw('writes a part, then rejects', async (reply) => {
    reply.raw.write('part')
    throw new Error('declined')
  }),
  threw('writes a part, then returns', async (reply) => {
    reply.raw.write('part')
    return { a: 1 }
  }),
]

const program: FastifyEnding = {
  ...describedProgram,
  async handle(request, reply) {
    const body = await describeAnswer(programOf(request.headers), {
      status: (status) => reply.code(status),
      setHeader: (name, values) => reply.removeHeader(name).header(name, values.join(', ')),
      appendHeader: (name, values) => reply.header(name, [reply.getHeader(name) ?? [], ...values].flat().map(String)),
      removeHeader: (name) => reply.removeHeader(name),
    })
    return reply.send(typeof body === 'string' ? body : Readable.from(body, { objectMode: false }))
  },
}

const own: readonly FastifyEnding[] = [
  ...returned,
  ...sent,
  ...failures,
  { name: 'never answers', end: 'silent', handle: () => {}, guarded: ['before', 'given'] },
]

function hijacked(endings: typeof nodeEndings): FastifyEnding[] {
  return onNode<[FastifyRequest, FastifyReply]>(endings, (request, reply) => {
    reply.hijack()
    return [reply.raw, request.raw]
  })
}

/** Handlers that a request without a socket can ask for. */
export const injectedEndings: readonly FastifyEnding[] = own

export const fastifyEndings: readonly FastifyEnding[] = [
  ...own,
  program,
  ...hijacked([...nodeEndings, programEnding(false)]),
]
/** HTTP/2 ends the process for a header of chunks, refuses no text of a header, and lets a part that was cut look whole. */
const ofHttp1 = new Set([
  'returns a Response that says that it is chunked',
  'sends a header that is refused',
  'sends a stream that fails midway',
])

export const http2FastifyEndings: readonly FastifyEnding[] = [
  ...own.filter(({ name }) => !ofHttp1.has(name)),
  ...hijacked(http2Endings),
]
