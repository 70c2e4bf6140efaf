/** Handlers of Hono that are run again, since their transaction conflicted with another. */
import type { AddressInfo } from 'node:net'
import { serve } from '@hono/node-server'
import { createIdempotency, unscoped } from '@retryproof/core'
import type { HttpOptions } from '@retryproof/http'
import { type Context, Hono } from 'hono'
import { describe, expect, it, onTestFinished } from 'vitest'
import { conflictError, failingCommits } from '../../../conformance/test/transactional-store.ts'
import { idempotent } from '../src/index.ts'
import { answerOf } from './set-up.ts'

function application(
  handler: (c: Context, run: number) => Promise<Response>,
  errors: unknown[],
  given: Partial<HttpOptions<Context>> = {},
): Hono {
  const idempotency = createIdempotency({ store: failingCommits(...errors), namespace: 'test' })
  const app = new Hono()
  let runs = 0
  app.use(async (c, next) => {
    c.status(202)
    c.header('X-Outside', 'a')
    c.header('Set-Cookie', 'a=1', { append: true })
    c.header('Set-Cookie', 'b=2', { append: true })
    await next()
  })
  app.post(
    '/charges',
    idempotent(idempotency, { scope: unscoped, transaction: true, ...given }, (c) => handler(c, ++runs)),
  )
  return app
}

/** Both ways by which Hono has requests: those of Fetch, and those of Node. */
const ways: [string, (app: Hono) => Promise<(init: RequestInit) => Promise<Response>>][] = [
  ['of Fetch', async (app) => async (init) => app.request('/charges', init)],
  [
    'of Node',
    async (app) => {
      const port = await new Promise<number>((resolve) => {
        const server = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }, ({ port }: AddressInfo) =>
          resolve(port),
        )
        onTestFinished(() => void server.close())
      })
      return (init) => fetch(`http://127.0.0.1:${port}/charges`, init)
    },
  ],
]

describe.each(ways)('a handler whose transaction conflicts, for requests %s', (_way, open) => {
  const init = {
    method: 'POST',
    body: '{"amount":1}',
    headers: { 'Idempotency-Key': 'k1', 'Content-Type': 'application/json' },
  }

  const readers: [string, (c: Context) => Promise<unknown>][] = [
    ['c.req.json()', (c) => c.req.json()],
    ['c.req.raw.json()', (c) => c.req.raw.json()],
    ['c.req.raw.text()', async (c) => JSON.parse(await c.req.raw.text())],
    ['c.req.raw.body', (c) => new Response(c.req.raw.body).json()],
    ['c.req.raw.clone()', (c) => c.req.raw.clone().json()],
  ]
  it.each(readers)('is given the body in every run: %s', async (_name, read) => {
    const seen: unknown[] = []
    const handler = async (c: Context) => {
      seen.push(await read(c))
      return c.json(seen.at(-1) as object, 201)
    }
    const post = await open(application(handler, [conflictError(), conflictError()]))
    for (const replayed of [false, true]) {
      expect(await answerOf(await post(init))).toMatchObject({ status: 201, body: '{"amount":1}', replayed })
    }
    expect(seen).toEqual([{ amount: 1 }, { amount: 1 }, { amount: 1 }])
  })

  it.each(readers)('is given the body in every run where the guard has not read it: %s', async (_name, read) => {
    const seen: unknown[] = []
    const handler = async (c: Context) => {
      seen.push(await read(c))
      return c.json(seen.at(-1) as object, 201)
    }
    const post = await open(application(handler, [conflictError(), conflictError()], { fingerprint: () => 'same' }))
    expect(await answerOf(await post(init))).toMatchObject({ status: 201, body: '{"amount":1}', replayed: false })
    expect(seen).toEqual([{ amount: 1 }, { amount: 1 }, { amount: 1 }])
  })

  it('answers with the status and the headers of its last run alone', async () => {
    const last = async (c: Context) => {
      c.header('X-Run', 'last', { append: true })
      return c.text('done')
    }
    async function handler(c: Context, run: number): Promise<Response> {
      if (run > 1) return last(c)
      c.status(201)
      c.header('X-Run', 'first', { append: true })
      c.header('X-First', 'a')
      c.header('X-Outside', 'b')
      c.header('Set-Cookie', 'c=3', { append: true })
      return c.text('undone')
    }
    const alone = await (await open(application(last, [])))(init)
    const post = await open(application(handler, [conflictError()]))
    const expected = await answerOf(alone)
    expect(await answerOf(await post(init))).toEqual(expected)
    expect(await answerOf(await post(init))).toEqual({ ...expected, replayed: true })
  })
})
