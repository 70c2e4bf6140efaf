/** Bodies as the parsers that people use on Koa leave them. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import multer from '@koa/multer'
import { Router, type RouterMiddleware } from '@koa/router'
import { closedAfterEach } from '@retryproof/conformance/test-tools/closed-after-each'
import { createIdempotency, unscoped } from '@retryproof/core'
import type { HttpOptions } from '@retryproof/http'
import { memoryStore } from '@retryproof/memory'
import Koa, { type Context, type Middleware } from 'koa'
import { koaBody } from 'koa-body'
import koaBodyparser from 'koa-bodyparser'
import { describe, expect, it } from 'vitest'
import { idempotent } from '../src/index.ts'

const servers = closedAfterEach()

/** The statuses of requests with one key. */
async function statuses(
  parsers: readonly unknown[],
  options: Partial<HttpOptions<Context>>,
  bodies: readonly (FormData | readonly [type: string, body: string])[],
): Promise<number[]> {
  const idempotency = createIdempotency({ store: memoryStore(), namespace: 'test' })
  const app = new Koa()
  app.silent = true
  const guard = idempotent(idempotency, { scope: unscoped, ...options }) as RouterMiddleware
  const created: RouterMiddleware = async (ctx) => {
    ctx.status = 201
  }
  app.use(new Router().post('/x', ...(parsers as RouterMiddleware[]), guard, created).routes() as Middleware)
  const server = createServer(app.callback())
  servers.add(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/x`
  const answers: number[] = []
  for (const body of bodies) {
    const headers = { 'Idempotency-Key': 'k', ...(body instanceof FormData ? {} : { 'Content-Type': body[0] }) }
    const sent = body instanceof FormData ? body : body[1]
    answers.push((await fetch(url, { method: 'POST', headers, body: sent })).status)
  }
  return answers
}

function upload(amount: string, content: string | undefined, name = 'a.txt', type = 'text/plain'): FormData {
  const form = new FormData()
  form.set('amount', amount)
  if (content !== undefined) form.set('receipt', new File([content], name, { type }))
  return form
}

const json = (text: string) => ['application/json', text] as const
const form = (text: string) => ['application/x-www-form-urlencoded', text] as const

describe('bodies on Koa', () => {
  it.each<[string, unknown]>([
    ['koa-bodyparser', koaBodyparser()],
    ['koa-body', koaBody()],
  ])('of %s', async (_, parser) => {
    expect(
      await statuses([parser], {}, [json('{"a":1,"b":2}'), json('{"b":2, "a":1}'), json('{"a":2,"b":2}')]),
    ).toEqual([201, 201, 422])
    expect(await statuses([parser], {}, [form('a=1&b=2'), form('a=1&b=2'), form('a=1&b=3')])).toEqual([201, 201, 422])
    expect(await statuses([parser], {}, [json('{}'), json('{}'), json('{"a":1}')])).toEqual([201, 201, 422])
    expect(
      await statuses([parser], {}, [
        ['application/xml', '<a/>'],
        ['application/xml', '<a/>'],
        ['application/xml', '<b/>'],
      ]),
    ).toEqual([201, 201, 422])
  })

  it.each<[string, unknown]>([
    ['koa-body', koaBody({ multipart: true })],
    ['@koa/multer, single', multer().single('receipt')],
    ['@koa/multer, any', multer().any()],
    ['nobody', async (_ctx: unknown, next: () => Promise<void>) => next()],
  ])('that are forms with files, of %s', async (_, parser) => {
    const options = { fingerprint: { pick: ['amount', 'receipt'] } }
    const first = upload('1', 'one')
    for (const other of [
      upload('2', 'one'),
      upload('1', 'two'),
      upload('1', 'one', 'b.txt'),
      upload('1', 'one', 'a.txt', 'text/html'),
      upload('1', undefined),
    ]) {
      expect(await statuses([parser], options, [first, upload('1', 'one'), other])).toEqual([201, 201, 422])
    }
  })

  it('that one parser left as {} and another read are an error of configuration', async () => {
    const reader = async (ctx: Context, next: () => Promise<void>) => {
      await new Promise((resolve) => ctx.req.on('data', () => {}).on('end', resolve))
      await next()
    }
    expect(await statuses([koaBodyparser(), reader], {}, [['application/xml', '<a/>']])).toEqual([500])
  })
})
