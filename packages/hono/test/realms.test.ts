/** Responses that another realm made: of graphql-yoga's ponyfill and of the package undici, on a server that replaces the globals. */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { serve } from '@hono/node-server'
import { createSchema, createYoga } from 'graphql-yoga'
import type { Hono } from 'hono'
import { Response as UndiciResponse } from 'undici'
import { afterEach, expect, it } from 'vitest'
import { answerOf, setUp } from './set-up.ts'

const closers: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closers.splice(0)) await close()
})

async function open(app: Hono) {
  const server = serve({ fetch: app.fetch, port: 0 })
  closers.push(() => server.close())
  await once(server, 'listening')
  const url = `http://localhost:${(server.address() as AddressInfo).port}`
  return async (path: string, body?: string) => {
    const headers = { 'Idempotency-Key': 'k1', 'Content-Type': 'application/json' }
    return answerOf(await fetch(url + path, { method: 'POST', headers, ...(body !== undefined && { body }) }))
  }
}

it('graphql-yoga answers a mutation, first and again', async () => {
  let payments = 0
  const yoga = createYoga({
    logging: false,
    schema: createSchema({
      typeDefs: 'type Query { a: Int } type Mutation { pay: Int }',
      resolvers: { Mutation: { pay: () => ++payments } },
    }),
  })
  const { app, guard } = setUp()
  app.post('/unguarded', (c) => yoga.fetch(new Request('http://localhost/graphql', c.req.raw)))
  app.post('/graphql', guard(), (c) => yoga.fetch(c.req.raw))
  const send = await open(app)
  const query = JSON.stringify({ query: 'mutation { pay }' })
  const first = await send('/graphql', query)
  expect(first).toMatchObject({ status: 200, body: '{"data":{"pay":1}}', replayed: false })
  expect(await send('/graphql', query)).toEqual({ ...first, replayed: true })
  expect((await send('/graphql', JSON.stringify({ query: 'mutation { pay again: pay }' }))).status).toBe(422)
  expect(payments).toBe(1)
})

it.each<[string, () => unknown]>([
  ['undici', () => new UndiciResponse('charged', { status: 201, headers: cookies })],
  ['undici, without a body', () => new UndiciResponse(null, { status: 204, headers: cookies })],
  ['undici, a stream', () => new UndiciResponse(Readable.from(['a', 'b']), { headers: cookies })],
])('a Response of %s keeps its status, its body and both cookies', async (_, make) => {
  const { both, app } = setUp()
  both(make)
  const send = await open(app)
  const bare = await send('/bare')
  expect(await send('/guarded')).toEqual(bare)
  const kept = { ...bare, headers: bare.headers.filter(([name]) => name !== 'set-cookie'), replayed: true }
  expect(await send('/guarded')).toEqual(kept)
  expect(bare.headers.filter(([name]) => name === 'set-cookie')).toHaveLength(2)
})

const cookies: [string, string][] = [
  ['set-cookie', 'a=1'],
  ['set-cookie', 'b=2'],
  ['x-own', 'kept'],
]

it('an object with the public members of a Response is one', async () => {
  const { app, guard } = setUp()
  const headers = Object.assign(new Map([['x-own', 'kept']]), { getSetCookie: () => ['a=1', 'b=2'] })
  const like = { status: 201, statusText: 'Created', headers, body: Readable.from(['char', Buffer.from('ged')]) }
  app.post(
    '/x',
    guard({}, () => like as unknown as Response),
  )
  const send = await open(app)
  const first = await send('/x')
  expect(first).toMatchObject({ status: 201, body: 'charged' })
  expect(first.headers.filter(([name]) => name === 'set-cookie')).toHaveLength(2)
  expect(await send('/x')).toMatchObject({ status: 201, body: 'charged', replayed: true })
})
