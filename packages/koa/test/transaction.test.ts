/** Handlers whose transaction conflicts with another, or fails to commit. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable, Stream } from 'node:stream'
import { closedAfterEach } from '@retryproof/conformance/test-tools/closed-after-each'
import { createIdempotency, unscoped } from '@retryproof/core'
import type Koa from 'koa'
import type { Context, Middleware } from 'koa'
import { Readable as OtherReadable } from 'readable-stream'
import { describe, expect, it } from 'vitest'
import { conflictError, failingCommits } from '../../../conformance/test/transactional-store.ts'
import { idempotent } from '../src/index.ts'
import { versions } from './app.ts'

const servers = closedAfterEach()

/** A stream as before Node 0.10: events, and no other way to read it. */
function firstStream(piece: string): Stream {
  const stream = Object.assign(new Stream(), { readable: true })
  setImmediate(() => stream.emit('data', piece) && stream.emit('end'))
  return stream
}

describe.each(versions)('a transaction on %s', (version, Framework: typeof Koa) => {
  /** Serves a handler behind that middleware. `errors` are those of the first commits. */
  async function serving(handler: (ctx: Context, run: number) => unknown, errors: unknown[], outside?: Middleware) {
    const app = new Framework()
    app.silent = true
    let runs = 0
    if (outside) app.use(outside)
    const idempotency = createIdempotency({ store: failingCommits(...errors), namespace: 'test' })
    app.use(
      idempotent(idempotency, { scope: unscoped, operation: 'charge', transaction: true }, async (ctx) => {
        await handler(ctx, ++runs)
      }),
    )
    const server = createServer(app.callback())
    servers.add(server)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    return {
      runs: () => runs,
      async post() {
        const answer = await fetch(`http://127.0.0.1:${port}/`, {
          method: 'POST',
          headers: { 'Idempotency-Key': 'k1' },
        })
        const { 'content-type': type, 'x-first': first, 'x-outside': outer } = Object.fromEntries(answer.headers)
        const replayed = answer.headers.get('idempotency-replayed')
        return {
          status: answer.status,
          message: answer.statusText,
          body: await answer.text(),
          type,
          first,
          outer,
          replayed,
        }
      },
    }
  }

  /** The first run leaves an answer that no later one has. */
  const firsts: [string, (ctx: Context) => unknown][] = [
    ['an object', (ctx) => Object.assign(ctx, { body: { first: true } })],
    ['a status with its message', (ctx) => Object.assign(ctx, { status: 202, message: 'First', body: 'first' })],
    ['null', (ctx) => Object.assign(ctx, { body: null })],
    ['a stream', (ctx) => Object.assign(ctx, { body: Readable.from(['first']) })],
    ['a stream of the first kind', (ctx) => Object.assign(ctx, { body: firstStream('first') })],
    ['headers', (ctx) => [ctx.set({ 'X-First': 'a', 'X-Outside': 'b' }), Object.assign(ctx, { body: 'first' })]],
    ['no content', (ctx) => Object.assign(ctx, { status: 204 })],
    ['past Koa', (ctx) => Object.assign(ctx, { respond: false }).res.writeHead(202, { 'X-First': 'a' }).end('first')],
  ]
  // Koa 2 takes it for an object, of which it makes no JSON
  if (version === 'Koa 3') {
    firsts.push(['a stream of another package', (ctx) => Object.assign(ctx, { body: OtherReadable.from(['first']) })])
  }
  const lasts: [string, (ctx: Context) => unknown][] = [
    ['an object', (ctx) => Object.assign(ctx, { body: { run: 2 } })],
    ['a text with its status', (ctx) => Object.assign(ctx, { status: 201, body: 'two' })],
    ['null', (ctx) => Object.assign(ctx, { body: null })],
    ['a status alone', (ctx) => Object.assign(ctx, { status: 201 })],
  ]
  const outsides: [string, Middleware | undefined][] = [
    ['nothing outside', undefined],
    [
      'a status and a header from outside',
      async (ctx, next) => {
        ctx.status = 203
        ctx.set('X-Outside', 'a')
        await next()
      },
    ],
  ]
  const cases = outsides.flatMap(([outer, outside]) =>
    firsts.flatMap(([first, run]) => lasts.map(([last, again]) => ({ first, last, outer, outside, run, again }))),
  )

  it.each(cases)(
    'that conflicts answers as a first run does: $last, after $first, with $outer',
    async ({ outside, run, again }) => {
      const { post, runs } = await serving(
        (ctx, number) => (number === 1 ? run(ctx) : again(ctx)),
        [conflictError()],
        outside,
      )
      const alone = await serving(again, [], outside)
      const expected = await alone.post()
      expect(await post()).toEqual(expected)
      expect(await post()).toEqual({ ...expected, replayed: 'true' })
      expect(runs()).toBe(2)
    },
  )

  it.each(firsts)('whose handler throws the conflict is run again: after %s', async (_name, run) => {
    const { post, runs } = await serving((ctx, number) => {
      if (number > 1) return Object.assign(ctx, { body: 'two' })
      run(ctx)
      throw conflictError()
    }, [])
    const expected = { status: 200, body: 'two', first: undefined, replayed: null }
    expect(await post()).toMatchObject(expected)
    expect(await post()).toMatchObject({ ...expected, replayed: 'true' })
    expect(runs()).toBe(2)
  })

  const written: [string, (ctx: Context) => unknown][] = [
    ['and Koa after it', (ctx) => ctx.res.writeHead(201).end('raw')],
    ['past Koa', (ctx) => Object.assign(ctx, { respond: false }).res.writeHead(201).end('raw')],
    [
      'past Koa, which has gone on',
      (ctx) => {
        ctx.respond = false
        setImmediate(() => ctx.res.writeHead(201).end('raw'))
      },
    ],
  ]

  it.each(written)(
    'that fails to commit is answered with the error, where the answer was written to Node: %s',
    async (_name, write) => {
      const { post, runs } = await serving((ctx) => void write(ctx), [new Error('duplicate key')])
      expect(await post()).toMatchObject({ status: 500, body: 'Internal Server Error', replayed: null })
      expect(await post()).toMatchObject({ status: 201, body: 'raw', replayed: null })
      expect(runs()).toBe(2)
    },
  )

  it('that conflicts after its handler returned is run again, where the handler answers past Koa', async () => {
    const { post, runs } = await serving(
      (ctx) => {
        ctx.respond = false
        setImmediate(() => ctx.res.writeHead(201).end('raw'))
      },
      [conflictError()],
    )
    expect(await post()).toMatchObject({ status: 201, body: 'raw', replayed: null })
    expect(await post()).toMatchObject({ status: 201, body: 'raw', replayed: 'true' })
    expect(runs()).toBe(2)
  })
})
