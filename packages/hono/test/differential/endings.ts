/** Handlers of Hono. */
import { once } from 'node:events'
import { createServer, type OutgoingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gzipSync } from 'node:zlib'
import type { Context } from 'hono'
import { deleteCookie, setCookie, setSignedCookie } from 'hono/cookie'
import { html, raw } from 'hono/html'
import { HTTPException } from 'hono/http-exception'
import { proxy } from 'hono/proxy'
import { stream, streamSSE, streamText } from 'hono/streaming'
import type { StatusCode } from 'hono/utils/http-status'
import { Response as UndiciResponse } from 'undici'
import type { Application, Ending } from '../../../../conformance/src/http/differential/application.ts'
import {
  type FetchEnding,
  fetchEndings,
  foreignAnswers,
} from '../../../../conformance/src/http/differential/endings/fetch-endings.ts'
import {
  describeAnswer,
  describedProgram,
  programOf,
} from '../../../../conformance/src/http/differential/endings/programs.ts'

export type HonoEnding = Ending<[c: Context]>

const answered = (name: string, handle: HonoEnding['handle'], more: Partial<HonoEnding> = {}): HonoEnding => ({
  name,
  end: 'answered',
  handle,
  ...more,
})

const threw = (name: string, handle: HonoEnding['handle'], more: Partial<HonoEnding> = {}): HonoEnding => ({
  name,
  end: 'threw',
  handle,
  ...more,
})

/** Asks a server, which answers once, by Hono's helper. */
async function proxied(status: number, headers: OutgoingHttpHeaders = {}, body: string | Uint8Array = 'text') {
  const upstream = createServer((_, response) => void response.writeHead(status, headers).end(body))
  await once(upstream.listen(0, '127.0.0.1'), 'listening')
  const response = await proxy(`http://127.0.0.1:${(upstream.address() as AddressInfo).port}/`)
  upstream.close()
  return response
}

/** A transaction holds every answer until it commits. */
const streamed = { unreplayable: ['before', 'given'] } as const

const answers: readonly HonoEnding[] = [
  answered('c.text', (c) => c.text('text')),
  answered('c.json', (c) => c.json({ a: 1 }, 201)),
  answered('c.html', (c) => c.html('<p>text</p>')),
  answered('c.body', (c) => c.body('body')),
  answered('c.body of bytes', (c) => c.body(new Uint8Array([0, 255]))),
  answered('c.body of nothing', (c) => c.body(null, 204)),
  answered('c.body of a stream', (c) => c.body(new Blob(['piece 0;piece 1;']).stream())),
  answered('c.body with a status and headers', (c) => c.body('body', 201, { 'X-One': '1' })),
  answered('c.html of a promise', (c) => c.html(Promise.resolve('<p>text</p>'))),
  answered('c.html of markup', (c) => c.html(html`<p>${raw('<b>text</b>')}</p>`)),
  answered('c.res', (c) => {
    c.res = new Response('text', { status: 201 })
    c.res.headers.set('X-One', '1')
    return c.res
  }),
  answered('c.res with other headers', (c) => {
    c.res = new Response('text', { headers: { 'X-One': '1', 'X-Two': '2' } })
    c.res.headers.set('X-One', 'other')
    c.res.headers.delete('X-Two')
    c.res.headers.append('Set-Cookie', 'a=1')
    c.res.headers.append('Set-Cookie', 'b=2')
    return c.res
  }),
  answered('c.render', (c) => c.render('text')),
  answered('c.render with a renderer', (c) => {
    c.setRenderer((content) => c.html(`<main>${String(content)}</main>`))
    return c.render('text')
  }),
  answered('c.render with a layout', (c) => {
    c.setLayout(() => 'layout')
    return c.render(String(c.getLayout()?.({} as never)))
  }),
  answered('c.newResponse', (c) => c.newResponse('text', 202, { 'X-One': '1' })),
  answered('c.redirect', (c) => c.redirect('/elsewhere', 303)),
  answered('c.notFound', (c) => c.notFound()),
  answered('c.status', (c) => {
    c.status(418)
    return c.text('text')
  }),
  answered('c.header', (c) => {
    c.header('X-One', '1')
    c.header('X-Two', '2')
    c.header('X-Two', '3', { append: true })
    return c.text('text')
  }),
  answered('cookies', (c) => {
    setCookie(c, 'a', '1')
    setCookie(c, 'b', '2')
    return c.json({})
  }),
  answered('cookies that are signed, and taken back', async (c) => {
    await setSignedCookie(c, 'a', '1', 'a secret')
    deleteCookie(c, 'b')
    return c.text('text')
  }),
  answered('proxy', () => proxied(201, { 'X-One': '1', Connection: 'close' })),
  answered('proxy of what is encoded', () => proxied(200, { 'Content-Encoding': 'gzip' }, gzipSync('text'))),
  answered('proxy of cookies', () => proxied(200, { 'Set-Cookie': ['a=1', 'b=2'] })),
  answered('proxy of a failure', () => proxied(502)),
  answered('a header, then a Response', (c) => {
    c.header('X-One', '1')
    return new Response('text', { headers: { 'X-Two': '2' } })
  }),
  answered('stream', (c) => stream(c, async (out) => void (await out.write('text')))),
  answered('streamText', (c) => streamText(c, async (out) => void (await out.write('text')))),
  answered('stream of pieces', (c) =>
    stream(c, async (out) => {
      out.onAbort(() => {})
      await out.writeln('one')
      await out.sleep(1)
      await out.pipe(new Blob(['two']).stream())
    }),
  ),
  answered('stream with an error handler', (c) =>
    stream(
      c,
      async () => {
        throw new Error('declined')
      },
      async (_error, out) => void (await out.write('failed')),
    ),
  ),
  answered(
    'streamSSE of events',
    (c) =>
      streamSSE(c, async (out) => {
        for (const id of ['1', '2']) await out.writeSSE({ data: 'a\nb', event: 'tick', id, retry: 1_000 })
      }),
    streamed,
  ),
  answered('streamSSE', (c) => streamSSE(c, async (out) => out.writeSSE({ data: '1' })), streamed),
]

/** Hono answers what its middleware throws when that is done, so that nobody knows the status of the answer before. */
const afterwards = { released: ['given', 'transaction'] } as const

const failures: readonly HonoEnding[] = [
  threw(
    'an HTTPException',
    () => {
      throw new HTTPException(402, { message: 'declined' })
    },
    afterwards,
  ),
  threw(
    'an HTTPException with a Response',
    () => {
      throw new HTTPException(402, { res: new Response('declined', { status: 402, headers: { 'X-One': '1' } }) })
    },
    afterwards,
  ),
  threw('a header, then a throw', (c) => {
    c.header('X-One', '1')
    throw new Error('declined')
  }),
]

const program: HonoEnding = {
  ...describedProgram,
  ...afterwards,
  name: 'runs a program by its context',
  async handle(c) {
    let given: number | undefined
    const body = await describeAnswer(programOf(c.req.header()), {
      status(status) {
        given = status
        c.status(status as StatusCode)
      },
      setHeader: (name, values) => c.header(name, values.join(', ')),
      appendHeader(name, values) {
        for (const each of values) c.header(name, each, { append: true })
      },
      removeHeader: (name) => c.header(name, undefined),
    })
    // a text of 205 has a Response that throws where anybody looks at it, and `c.res` is a look
    if (given === 205) return c.body(null)
    if (typeof body === 'string') return c.body(body)
    return stream(c, async (out) => {
      for (const piece of body) await out.write(piece)
    })
  },
}

const onRequest = (endings: readonly FetchEnding[]) =>
  endings.map((ending): HonoEnding => ({ ...ending, handle: (c) => ending.handle(c.req.raw) }))

export const honoEndings: readonly HonoEnding[] = [
  ...answers,
  ...failures,
  // the Response of this server loses the type of a Blob, unless somebody looks at it
  ...onRequest(fetchEndings.filter(({ name }) => name !== 'a Blob')),
  program,
]

/** Endings that end the process of @hono/node-server over HTTP/2, or are cut short there, without a guard as well. */
const http1Only = new Set(['streamText', 'streamSSE', 'streamSSE of events', 'more than is kept'])

export function endingsOver(protocol: Application['protocol']): readonly HonoEnding[] {
  return protocol === 'HTTP/2' ? honoEndings.filter(({ name }) => !http1Only.has(name)) : honoEndings
}

/** Complete answers, which say nothing of errors. */
export const honoAnswers: readonly HonoEnding[] = honoEndings.filter(
  ({ end, program: made }) => end === 'answered' && !made,
)

/** Answers that a Response of the package undici carries. */
export const undiciAnswers: readonly HonoEnding[] = onRequest(foreignAnswers(UndiciResponse))
