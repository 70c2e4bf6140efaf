/** Bodies as the parsers that people use leave them: what a handler can tell apart has fingerprints of its own. */
import { mkdtempSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import bodyParser from 'body-parser'
import bodyParser1 from 'body-parser1'
import busboy from 'busboy'
import type { ErrorRequestHandler, RequestHandler } from 'express'
import fc from 'fast-check'
import jsonBigint from 'json-bigint'
import { parse as parseLossless } from 'lossless-json'
import multer from 'multer'
import qs from 'qs'
import { describe, expect, it } from 'vitest'
import { testApp, versions } from './app.ts'

interface Sent {
  readonly type: string
  readonly body: string | FormData
}

const form = 'application/x-www-form-urlencoded'
const xml = 'application/xml'

/** A parser of one's own, over all of the text. */
function reading(parse: (text: string) => unknown): RequestHandler {
  return (req, _res, next) => {
    const chunks: Buffer[] = []
    req.on('data', (chunk: Buffer) => chunks.push(chunk))
    req.on('end', () => {
      req.body = parse(Buffer.concat(chunks).toString())
      next()
    })
  }
}

const withBusboy: RequestHandler = (req, _res, next) => {
  const body: Record<string, string> = {}
  const files: object[] = []
  const parser = busboy({ headers: req.headers })
  parser.on('field', (name, value) => {
    body[name] = value
  })
  parser.on('file', (fieldname, stream, { filename, mimeType: mimetype }) => {
    const chunks: Buffer[] = []
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
    stream.on('end', () => files.push({ fieldname, originalname: filename, mimetype, buffer: Buffer.concat(chunks) }))
  })
  parser.on('close', () => {
    Object.assign(req, { body, files })
    next()
  })
  req.pipe(parser)
}

const digits = fc.constantFrom(
  '1',
  '1.0',
  '2',
  '-0',
  '0',
  '1e400',
  '1e401',
  '9007199254740993',
  '9007199254740992',
  '0.123456789012345678',
  '0.123456789012345679',
)
const jsonBodies = fc
  .record({
    a: digits,
    b: fc.constantFrom('"1"', '"x"', '"\\u0078"', 'null', '[1]', '{"c":1,"d":2}', '{"d":2,"c":1}'),
    swapped: fc.boolean(),
  })
  .map(
    ({ a, b, swapped }): Sent => ({
      type: 'application/json',
      body: swapped ? `{"b":${b}, "a":${a}}` : `{"a":${a},"b":${b}}`,
    }),
  )
const formBodies = fc
  .array(fc.tuple(fc.constantFrom('a', 'b', 'a[b]', 'a[]', 'a[c]'), fc.constantFrom('1', '2', '', '%26', '+')), {
    minLength: 1,
    maxLength: 3,
  })
  .map((pairs): Sent => ({ type: form, body: pairs.map(([name, value]) => `${name}=${value}`).join('&') }))
const textBodies = (type: string) =>
  fc.constantFrom('1', '2', ' 1', 'ä', 'a=1&b=2', '{}').map((body): Sent => ({ type, body }))
const uploads = fc
  .record({
    amount: fc.constantFrom('1', '2'),
    content: fc.constantFrom('', 'one', 'two'),
    name: fc.constantFrom('a.txt', 'b.txt'),
    type: fc.constantFrom('text/plain', 'text/html'),
  })
  .map(({ amount, content, name, type }): Sent => {
    const data = new FormData()
    data.set('amount', amount)
    data.set('receipt', new File([content], name, { type }))
    return { type: '', body: data }
  })

/** The parts that a handler can see of a body and of its files. */
async function view(req: { body?: unknown; file?: unknown; files?: unknown }): Promise<unknown> {
  const { body } = req
  const iterable = body instanceof URLSearchParams || body instanceof Map ? [...body] : body
  const files = [req.file ?? [], req.files ?? []].flat() as Partial<Express.Multer.File>[]
  const flat = files.flatMap((file) =>
    'mimetype' in file ? [file] : (Object.values(file).flat() as Partial<Express.Multer.File>[]),
  )
  const seen = flat.map(async ({ originalname, mimetype, buffer, path }) => [
    originalname,
    mimetype,
    (buffer ?? (await readFile(path ?? ''))).toString(),
  ])
  return [
    typeof body === 'object' && body !== null && !Array.isArray(iterable) ? { ...body } : iterable,
    await Promise.all(seen),
  ]
}

const disk = multer({ dest: mkdtempSync(join(tmpdir(), 'retryproof-')) })
const memory = multer({ storage: multer.memoryStorage() })
const receipt = [{ name: 'receipt', maxCount: 1 }]

describe.each(versions)('bodies on %s', (_, express) => {
  const parsers: [string, RequestHandler, fc.Arbitrary<Sent>][] = [
    ['express.json', express.json(), jsonBodies],
    ['body-parser 1, json', bodyParser1.json(), jsonBodies],
    ['body-parser 2, json', bodyParser.json(), jsonBodies],
    [
      'json-bigint',
      reading((text) => jsonBigint.parse(text) as unknown),
      jsonBodies.filter(({ body }) => !/1e/.test(String(body))),
    ],
    [
      'json-bigint with BigInt',
      reading((text) => jsonBigint({ useNativeBigInt: true }).parse(text) as unknown),
      jsonBodies.filter(({ body }) => !/1e|\.\d{10}/.test(String(body))),
    ],
    // this parser keeps the text of numbers, of which only the value counts
    [
      'lossless-json',
      reading((text) => parseLossless(text)),
      jsonBodies.filter(({ body }) => !String(body).includes('1.0')),
    ],
    ['express.urlencoded, extended', express.urlencoded({ extended: true }), formBodies],
    ['express.urlencoded', express.urlencoded({ extended: false }), formBodies],
    ['body-parser 1, urlencoded', bodyParser1.urlencoded({ extended: true }), formBodies],
    ['qs', reading((text) => qs.parse(text)), formBodies],
    ['URLSearchParams', reading((text) => new URLSearchParams(text)), formBodies],
    ['Map', reading((text) => new Map(new URLSearchParams(text))), formBodies],
    ['express.text', express.text({ type: '*/*' }), textBodies('text/plain')],
    ['express.raw', express.raw({ type: '*/*' }), textBodies(xml)],
    ['body-parser 1, text', bodyParser1.text({ type: '*/*' }), textBodies('text/plain')],
    ['multer in memory, single', memory.single('receipt'), uploads],
    ['multer in memory, any', memory.any(), uploads],
    ['multer on disk, array', disk.array('receipt'), uploads],
    ['multer on disk, fields', disk.fields(receipt), uploads],
    ['busboy', withBusboy, uploads],
  ]

  it.each(parsers)('of %s: equal requests replay, and others are refused', async (_name, parser, bodies) => {
    const { app, guard, post } = testApp(express)
    const options = bodies === uploads ? { fingerprint: { pick: ['amount', 'receipt'] } } : {}
    const views: unknown[] = []
    app.post('/seen', parser, (req, res) => {
      void view(req).then((seen) => res.json(views.push(seen)))
    })
    app.post('/guarded', parser, guard(options), (_req, res) => res.json(1))
    let key = 0
    const send = (path: string, { type, body }: Sent) =>
      post(path, { key: `k${key}`, body, headers: type ? { 'Content-Type': type } : {} })
    await fc.assert(
      fc.asyncProperty(bodies, bodies, async (one, other) => {
        key++
        views.length = 0
        for (const sent of [one, other]) expect((await send('/seen', sent)).status).toBe(200)
        const isSame = isDeepStrictEqual(views[0], views[1])
        const first = await send('/guarded', one)
        expect([first.status, await first.text()]).toEqual([200, '1'])
        const second = await send('/guarded', other)
        expect([second.status, second.headers.get('idempotency-replayed')]).toEqual(
          isSame ? [200, 'true'] : [422, null],
        )
      }),
      { numRuns: 40 },
    )
  })

  it('that a parser left as {} and another read are an error of configuration', async () => {
    const { app, guard, post } = testApp(express)
    let runs = 0
    app.use(express.json())
    const reader: RequestHandler = (req, _res, next) => {
      req.on('data', () => {}).on('end', () => next())
    }
    app.post(
      '/x',
      reader,
      (req, _res, next) => {
        req.body ??= {}
        next()
      },
      guard(),
      (_req, res) => res.json(++runs),
    )
    app.use(((error, _req, res, _next) => {
      res.status(500).json({ message: (error as Error).message })
    }) as import('express').ErrorRequestHandler)
    const answer = await post('/x', { body: '<pay>1</pay>', headers: { 'Content-Type': xml } })
    expect([answer.status, await answer.text(), runs]).toEqual([500, expect.stringContaining('consumed'), 0])
  })

  it('count as they were sent where a parser kept that', async () => {
    const { app, guard, post } = testApp(express)
    const verify = (req: object, _res: unknown, bytes: Buffer) => void Object.assign(req, { rawBody: bytes })
    app.post('/x', express.json({ verify }), guard(), (_req, res) => res.json(1))
    const sent = (digits: string) =>
      post('/x', { body: `{"eth":${digits}}`, headers: { 'Content-Type': 'application/json' } })
    const statuses = [(await sent('0.123456789012345678')).status, (await sent('0.123456789012345679')).status]
    expect(statuses).toEqual([200, 422])
  })

  it('of which middleware has only begun to gather the text are an error of configuration', async () => {
    const { app, guard, post } = testApp(express)
    const gather: RequestHandler = (req, _res, next) => {
      const gathered = Object.assign(req, { rawBody: '' })
      req.on('data', (part) => {
        gathered.rawBody += part
      })
      next()
    }
    app.post('/x', gather, guard(), (_req, res) => res.json(1))
    app.use(((error, _req, res, _next) => {
      res.status(500).json({ message: (error as Error).message })
    }) as ErrorRequestHandler)
    const answer = await post('/x', { body: '{"amount":1}', headers: { 'Content-Type': 'application/json' } })
    expect([answer.status, await answer.text()]).toEqual([500, expect.stringContaining('consumed before idempotent()')])
  })

  it('whose files went to a store that keeps no content are an error of configuration', async () => {
    const { app, guard, post } = testApp(express)
    const bucket = multer({
      storage: {
        _handleFile: (_req, file, done) => void file.stream.resume().on('end', () => done(null, { size: 1 })),
        _removeFile: (_req, _file, done) => done(null),
      },
    })
    app.post('/x', bucket.single('receipt'), guard({ fingerprint: { pick: ['receipt'] } }), (_req, res) => res.json(1))
    app.use(((error, _req, res, _next) => {
      res.status(500).json({ message: (error as Error).message })
    }) as import('express').ErrorRequestHandler)
    const data = new FormData()
    data.set('receipt', new File(['one'], 'a.txt'))
    const answer = await post('/x', { body: data })
    expect([answer.status, await answer.text()]).toEqual([500, expect.stringContaining("picks the file 'receipt'")])
  })
})
