/** Handlers of Koa. */
import { Readable } from 'node:stream'
import { setImmediate as turn } from 'node:timers/promises'
import type { Context } from 'koa'
import send from 'koa-send'
import serve from 'koa-static'
import type { Ending } from '../../../../conformance/src/http/differential/application.ts'
import { streamOf } from '../../../../conformance/src/http/differential/endings/node-ending.ts'
import {
  http2Endings,
  nodeEndings,
  onNode,
} from '../../../../conformance/src/http/differential/endings/node-endings.ts'
import { programEnding } from '../../../../conformance/src/http/differential/endings/programs.ts'
import { thrownValues } from '../../../../conformance/src/http/differential/endings/thrown-values.ts'

export type KoaEnding = Ending<[ctx: Context]>

const answered = (name: string, handle: KoaEnding['handle'], more: Partial<KoaEnding> = {}): KoaEnding => ({
  name,
  end: 'answered',
  handle,
  ...more,
})

const threw = (name: string, handle: KoaEnding['handle'], more: Partial<KoaEnding> = {}): KoaEnding => ({
  name,
  end: 'threw',
  handle,
  ...more,
})

const files = serve(import.meta.dirname)

/** A body, and what is set besides. */
const body = (name: string, make: () => unknown, more: Record<string, unknown> = {}): KoaEnding =>
  answered(name, (ctx) => {
    ctx.body = make()
    Object.assign(ctx, more)
  })

const answers: readonly KoaEnding[] = [
  body('an object', () => ({ a: 1 })),
  body('a list', () => [1]),
  body('a text', () => 'text'),
  body('markup', () => '<p>text</p>'),
  body('bytes', () => Buffer.from('bytes')),
  body('null', () => null),
  body('an empty text', () => ''),
  body('a number', () => 402),
  body('a boolean', () => true),
  body('a stream', () => streamOf()),
  body('a stream with a type', () => streamOf(), { type: 'text/plain' }),
  body('a stream with a length', () => streamOf(), { length: 24 }),
  body('an empty stream', () => Readable.from([])),
  body('a web stream', () => new Blob(['piece 0;piece 1;']).stream()),
  body('a Blob', () => new Blob(['blob'], { type: 'text/x-blob' })),
  body('a Response', () => new Response('text', { status: 201, headers: { 'X-One': '1' } })),
  body('a Response without a body', () => new Response(null, { status: 202 })),
  body('a status', () => ({ a: 1 }), { status: 201 }),
  body('204 with a body', () => 'dropped', { status: 204 }),
  body('205 with a body', () => 'dropped', { status: 205 }),
  body('304 with a body', () => 'dropped', { status: 304 }),
  body('204 with a stream that fails', () => streamOf(0), { status: 204 }),
  body('404 with a body', () => ({ error: 'none' }), { status: 404 }),
  body('503 with a body', () => ({ error: 'later' }), { status: 503 }),
  body('a reason', () => 'text', { message: 'Fine' }),
  answered('nothing', () => {}),
  answered('a status alone', (ctx) => {
    ctx.status = 202
  }),
  answered('headers', (ctx) => {
    ctx.set({ 'X-One': '1', 'X-Sizes': [1, 2] as unknown as string[] })
    ctx.append('X-Two', '2')
    ctx.append('X-Two', '3')
    ctx.vary('Origin')
    ctx.body = 'text'
  }),
  answered('cookies', (ctx) => {
    ctx.cookies.set('a', '1', { signed: false })
    ctx.cookies.set('b', '2', { signed: false })
    ctx.body = 'text'
  }),
  answered('a redirect', (ctx) => ctx.redirect('/elsewhere')),
  answered('a redirect with markup', (ctx) => ctx.redirect('/elsewhere'), { headers: { Accept: 'text/html' } }),
  answered('a redirect back', (ctx) => ctx.redirect('back'), { headers: { Referer: '/before' } }),
  answered('a response of its own', ({ response }) => {
    response.status = 201
    response.set('X-One', '1')
    response.body = { a: response.get('X-One') }
  }),
  answered('what its response tells', (ctx) => {
    const { response } = ctx
    ctx.set('X-One', '1')
    ctx.type = 'json'
    ctx.body = {}
    const told = [response.is('json'), ctx.has('X-One'), response.header, response.headers, ctx.headerSent]
    ctx.body = [...told, ctx.writable, ctx.length, response.toJSON(), response.inspect(), response.socket.readable]
  }),
  answered('an error for its own error handler', (ctx) => ctx.onerror(new Error('declined'))),
  answered('koa-send', (ctx) => send(ctx, 'endings.ts', { root: import.meta.dirname })),
  answered('koa-send of nothing', async (ctx) => {
    await send(ctx, 'missing.txt', { root: import.meta.dirname }).catch(() => {})
  }),
  answered('koa-static', async (ctx) => {
    // as behind middleware that overrides the method
    ctx.method = 'GET'
    ctx.path = '/endings.ts'
    await files(ctx, async () => {})
  }),
  answered('an attachment', (ctx) => {
    ctx.attachment('a.csv')
    ctx.body = 'a,b'
  }),
  answered('an etag and a date', (ctx) => {
    ctx.etag = 'abc'
    ctx.lastModified = new Date(0)
    ctx.body = 'text'
  }),
  answered('a body later', async (ctx) => {
    await turn()
    ctx.body = { late: true }
  }),
  answered('two bodies', (ctx) => {
    ctx.body = streamOf()
    ctx.body = 'text'
  }),
  answered('a header that is taken back', (ctx) => {
    ctx.set('X-One', '1')
    ctx.remove('X-One')
    ctx.body = 'text'
  }),
  answered(
    'flushed headers',
    (ctx) => {
      ctx.body = 'text'
      ctx.flushHeaders()
    },
    { unreplayable: ['before', 'given'] },
  ),
]

/** Values to which Koa gives no answer: it leaves the client waiting, or ends, since it sets the status of a frozen error. */
const unanswered = new Set(['undefined', 'null', 'a frozen error'])

const failures: readonly KoaEnding[] = [
  ...thrownValues
    .filter(({ name }) => !unanswered.has(name))
    .flatMap(({ name, make }): KoaEnding[] => [
      threw(`throws ${name}`, () => {
        throw make()
      }),
      threw(`rejects with ${name}`, async () => {
        await turn()
        throw make()
      }),
    ]),
  threw(
    'throws nothing',
    () => {
      throw undefined
    },
    { hangs: ['none'] },
  ),
  threw('ctx.throw', (ctx) => ctx.throw(402, 'declined')),
  threw('ctx.assert', (ctx) => ctx.assert(false, 403, 'denied')),
  threw('a header that is refused', (ctx) => ctx.set('X-Name', '\u65e5\u672c')),
  threw('a status that is refused', (ctx) => {
    ctx.status = 1_000
  }),
  threw('a body, then a throw', (ctx) => {
    ctx.status = 201
    ctx.set('X-One', '1')
    ctx.body = 'text'
    throw new Error('declined')
  }),
  threw('a stream, then a throw', (ctx) => {
    ctx.body = streamOf()
    throw new Error('declined')
  }),
  threw('a stream that fails at once', (ctx) => {
    ctx.body = streamOf(0)
  }),
  threw(
    'a stream that fails midway',
    (ctx) => {
      ctx.body = streamOf(2)
    },
    // Koa 2
    { hangs: ['none', 'own-200'] },
  ),
  threw('a cycle', (ctx) => {
    const cycle: Record<string, unknown> = {}
    cycle.self = cycle
    ctx.body = cycle
  }),
  threw(
    'a part, then a throw',
    (ctx) => {
      ctx.res.write('part')
      throw new Error('declined')
    },
    { hangs: ['none', 'rethrows'] },
  ),
]

const own: readonly KoaEnding[] = [
  ...answers,
  ...failures,
  {
    name: 'never answers',
    end: 'silent',
    handle: (ctx) => {
      ctx.respond = false
    },
    guarded: ['before', 'given'],
  },
]

function past(endings: typeof nodeEndings): KoaEnding[] {
  return onNode<[Context]>(endings, (ctx) => {
    ctx.respond = false
    return [ctx.res, ctx.req]
  })
}

export const koaEndings: readonly KoaEnding[] = [...own, ...past([...nodeEndings, programEnding(false)])]
/** Koa 2 has no `back`. */
export const koa3Endings: readonly KoaEnding[] = [
  ...koaEndings,
  answered('back', (ctx) => ctx.back('/else'), { headers: { Referer: '/before' } }),
  answered('back without a page before', (ctx) => ctx.back('/else')),
]
/** HTTP/2 refuses no text of a header. */
const http2Own = own.filter(({ name }) => name !== 'a header that is refused')
export const http2KoaEndings: readonly KoaEnding[] = [...http2Own, ...past(http2Endings)]
