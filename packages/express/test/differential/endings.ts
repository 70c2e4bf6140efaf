/** Handlers of Express. */
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setImmediate as turn } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { NextFunction, Request, Response } from 'express'
import type { Ending } from '../../../../conformance/src/http/differential/application.ts'
import { nodeEndings, onNode } from '../../../../conformance/src/http/differential/endings/node-endings.ts'
import { programEnding } from '../../../../conformance/src/http/differential/endings/programs.ts'
import { thrownValues } from '../../../../conformance/src/http/differential/endings/thrown-values.ts'
import { trpcEndings } from './trpc-endings.ts'

export type ExpressEnding = Ending<[req: Request, res: Response, next: NextFunction]>

const file = fileURLToPath(new URL('view.txt', import.meta.url))
const missing = fileURLToPath(new URL('missing.txt', import.meta.url))

const answered = (
  name: string,
  handle: (res: Response, req: Request, next: NextFunction) => unknown,
  more: Partial<ExpressEnding> = {},
): ExpressEnding => ({ name, end: 'answered', handle: (req, res, next) => void handle(res, req, next), ...more })

const answers: readonly ExpressEnding[] = [
  answered('json', (res) => res.json({ a: 1 })),
  answered('json of a text', (res) => res.status(201).json('text')),
  answered('jsonp', (res) => res.jsonp({ a: 1 })),
  answered('send of a text', (res) => res.send('text')),
  answered('send of bytes', (res) => res.send(Buffer.from('bytes'))),
  answered('send of an object', (res) => res.send({ a: 1 })),
  answered('send of null', (res) => res.send(null)),
  answered('send of a boolean', (res) => res.send(true)),
  answered('send with 204', (res) => res.status(204).send('dropped')),
  answered('send with 205', (res) => res.status(205).send('dropped')),
  answered('sendStatus', (res) => res.sendStatus(202)),
  answered('redirect', (res) => res.redirect('/elsewhere')),
  answered('redirect with a status', (res) => res.redirect(303, '/elsewhere')),
  answered('location', (res) => res.status(201).location('/made/1').end()),
  answered('cookies', (res) => res.cookie('a', '1').cookie('b', '2', { httpOnly: true }).clearCookie('c').json({})),
  answered('set, append, vary, links, type', (res) =>
    res.set('X-One', '1').append('X-One', '2').vary('Origin').links({ next: '/2' }).type('txt').send('text'),
  ),
  answered('header, contentType, get', (res) => {
    res.header('X-One', '1').contentType('txt').header({ 'X-Two': '2' })
    res.send(res.get('X-One'))
  }),
  answered('attachment', (res) => res.attachment('a.csv').send('a,b')),
  answered('format', (res) => res.format({ text: () => res.send('text'), json: () => res.json({}) })),
  answered('format that is not acceptable', (res) => res.format({ default: () => res.sendStatus(406) })),
  answered('render', (res) => res.render('view', { name: 'it' })),
  answered('sendFile', (res) => res.sendFile(file, { lastModified: false, etag: false })),
  answered('sendFile below a root', (res) => res.sendFile('view.txt', { root: import.meta.dirname, maxAge: 1_000 })),
  answered('sendFile with a callback', (res) => res.sendFile(file, () => {})),
  answered('render with a callback', (res) => res.render('view', { name: 'it' }, (_error, text) => res.send(text))),
  answered('sendFile of a range', (res) => res.sendFile(file), { headers: { Range: 'bytes=2-4' } }),
  answered('sendFile of an impossible range', (res) => res.sendFile(file, (error) => error && res.sendStatus(416)), {
    headers: { Range: 'bytes=9999-' },
  }),
  answered('download', (res) => res.download(file, 'renamed.txt')),
  answered('download by its own name', (res) => res.download(file)),
  answered('download with options', (res) => res.download(file, 'b.txt', { headers: { 'X-One': '1' } }, () => {})),
  answered('locals', (res) => {
    res.locals.name = 'it'
    res.json(res.locals)
  }),
  answered('an answer in a later turn', (res) => void turn().then(() => res.json({ late: true }))),
  answered('a pipeline', (res) => pipeline(Readable.from(['a', 'b']), res)),
  answered('a second answer that is caught', (res) => {
    res.json({ first: true })
    try {
      res.json({ second: true })
    } catch {}
  }),
  answered('an answer, then a return of something', (res) => {
    res.json({ a: 1 })
    return 'ignored'
  }),
]

const failing = (name: string, handle: ExpressEnding['handle'], more: Partial<ExpressEnding> = {}): ExpressEnding => ({
  name,
  end: 'threw',
  handle,
  ...more,
})

/** A handler that is given has no `next`. */
const withNext = { guarded: ['before'] } as const

const failures: readonly ExpressEnding[] = [
  ...thrownValues.map(({ name, make }) =>
    failing(
      `throws ${name}`,
      () => {
        throw make()
      },
      // for Express nothing was thrown, and nobody answers
      make() ? {} : withNext,
    ),
  ),
  ...thrownValues
    .filter(({ make }) => make())
    .map(({ name, make }) => failing(`passes ${name} on`, (_req, _res, next) => next(make()), withNext)),
  failing('passes nothing on', (_req, _res, next) => next(), withNext),
  failing('passes the route on', (_req, _res, next) => next('route'), withNext),
  failing(
    'passes an error on in a later turn',
    (_req, _res, next) => void turn().then(() => next(new Error('late'))),
    withNext,
  ),
  failing('sends a file that is missing', (_req, res, next) => res.sendFile(missing, (error) => next(error)), withNext),
  failing('sets a header that is refused', (_req, res) => res.set('X-Name', '\u65e5\u672c').json({})),
  failing('writes a head with a header that is refused', (_req, res) => {
    res.writeHead(201, { 'X-One': '1', 'X-Name': '\u65e5\u672c' }).end()
  }),
  failing('writes a head with a header that is refused over one that was set', (_req, res) => {
    res.set('X-Set', '1').writeHead(201, { 'X-One': '1', 'X-Name': '\u65e5\u672c' }).end()
  }),
  failing('answers json of a cycle', (_req, res) => {
    const cycle: Record<string, unknown> = {}
    cycle.self = cycle
    res.json(cycle)
  }),
  failing('sets headers, then throws', (_req, res) => {
    res.status(201).set('X-One', '1')
    throw new Error('declined')
  }),
  failing('writes a part, then throws', (_req, res) => {
    res.write('part')
    throw new Error('declined')
  }),
  failing(
    'writes a part, then passes an error on',
    (_req, res, next) => {
      res.write('part')
      next(new Error('declined'))
    },
    withNext,
  ),
  failing('writes a head, then throws', (_req, res) => {
    res.writeHead(200)
    throw new Error('declined')
  }),
]

const rejections: readonly ExpressEnding[] = [
  ...thrownValues.map(({ name, make }) =>
    failing(`rejects with ${name}`, async () => {
      await turn()
      throw make()
    }),
  ),
  failing('writes a part, then rejects', async (_req, res) => {
    res.write('part')
    await turn()
    throw new Error('declined')
  }),
]

/** Express 4 lets nobody know that a handler rejected. */
function passedOn(ending: ExpressEnding): ExpressEnding {
  return {
    ...ending,
    handle: (req, res, next) =>
      Promise.resolve(ending.handle(req, res, next)).catch((error) => {
        if (next.length > 0) next(error || new Error('Rejected promise'))
        else throw error
      }),
  }
}

/** Forms that Express 4 alone has. */
interface Response4 extends Response {
  sendfile(path: string): void
  send(...parameters: unknown[]): this
  json(...parameters: unknown[]): this
  jsonp(...parameters: unknown[]): this
  redirect(...parameters: unknown[]): void
}

const answers4: readonly ExpressEnding[] = [
  answered('sendfile', (res) => (res as Response4).sendfile(file)),
  answered('send of a status and a body', (res) => (res as Response4).send(201, 'text')),
  answered('send of a status', (res) => (res as Response4).send(202)),
  answered('json of a status and a body', (res) => (res as Response4).json(201, { a: 1 })),
  answered('jsonp of a status and a body', (res) => (res as Response4).jsonp(201, { a: 1 })),
  answered('redirect to a status', (res) => (res as Response4).redirect('/elsewhere', 303)),
  answered('redirect back', (res) => (res as Response4).redirect('back'), { headers: { Referer: '/before' } }),
]

/** Express 4 ends the process when it logs one that cannot be made a text. */
function isLoggable({ name }: ExpressEnding): boolean {
  return !name.includes('without a prototype')
}

export function endingsFor(major: 4 | 5): ExpressEnding[] {
  return [
    ...answers,
    ...trpcEndings,
    ...(major === 4 ? answers4 : []),
    ...(major === 5 ? [...failures, ...rejections] : [...failures, ...rejections.map(passedOn)].filter(isLoggable)),
    // a request that was read to its end can be destroyed without its connection: here nobody has read it
    { name: 'destroys its request', end: 'destroyed', handle: (req) => void req.destroy() },
    { name: 'never answers', end: 'silent', handle: () => {}, guarded: ['before', 'given'] },
    // Express 4 lets nobody know that a handler rejected
    ...onNode<[Request, Response, NextFunction]>([...nodeEndings, programEnding(major === 5)], (req, res) => [
      res,
      req,
    ]),
  ]
}
