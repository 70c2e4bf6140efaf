/** Handlers of Hono. */
import type { Context } from 'hono'
import { setCookie } from 'hono/cookie'
import { HTTPException } from 'hono/http-exception'
import { stream, streamSSE, streamText } from 'hono/streaming'
import type { StatusCode } from 'hono/utils/http-status'
import type { Application, Ending } from '../../../../conformance/src/http/differential/application.ts'
import { fetchEndings } from '../../../../conformance/src/http/differential/endings/fetch-endings.ts'
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

/** A transaction holds every answer until it commits. */
const streamed = { unreplayable: ['before', 'given'] } as const

const answers: readonly HonoEnding[] = [
  answered('c.text', (c) => c.text('text')),
  answered('c.json', (c) => c.json({ a: 1 }, 201)),
  answered('c.html', (c) => c.html('<p>text</p>')),
  answered('c.body', (c) => c.body('body')),
  answered('c.body of bytes', (c) => c.body(new Uint8Array([0, 255]))),
  answered('c.body of nothing', (c) => c.body(null, 204)),
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
  answered('a header, then a Response', (c) => {
    c.header('X-One', '1')
    return new Response('text', { headers: { 'X-Two': '2' } })
  }),
  answered('stream', (c) => stream(c, async (out) => void (await out.write('text')))),
  answered('streamText', (c) => streamText(c, async (out) => void (await out.write('text')))),
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

const honoEndings: readonly HonoEnding[] = [
  ...answers,
  ...failures,
  ...fetchEndings
    // the Response of this server loses the type of a Blob, unless somebody looks at it
    .filter(({ name }) => name !== 'a Blob')
    .map((ending): HonoEnding => ({ ...ending, handle: (c) => ending.handle(c.req.raw) })),
  program,
]

/** Endings that end the process of @hono/node-server over HTTP/2, or are cut short there, without a guard as well. */
const http1Only = new Set(['streamText', 'streamSSE', 'more than is kept'])

export function endingsOver(protocol: Application['protocol']): readonly HonoEnding[] {
  return protocol === 'HTTP/2' ? honoEndings.filter(({ name }) => !http1Only.has(name)) : honoEndings
}
