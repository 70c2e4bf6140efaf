/** Handlers of Koa. */
import { setImmediate as turn } from 'node:timers/promises'
import type { Context } from 'koa'
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
    ctx.set({ 'X-One': '1' })
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
/** HTTP/2 refuses no text of a header. */
const http2Own = own.filter(({ name }) => name !== 'a header that is refused')
export const http2KoaEndings: readonly KoaEnding[] = [...http2Own, ...past(http2Endings)]
