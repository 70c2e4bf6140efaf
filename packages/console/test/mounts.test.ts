/** The recipes of the README: the console on each framework, with a form sent through its parsers. */
import { createServer, type RequestListener, request, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Module } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import { createIdempotency, type Idempotency } from '@retryproof/core'
import { memoryStore } from '@retryproof/memory'
import express from 'express'
import fastify from 'fastify'
import { Hono } from 'hono'
import Koa from 'koa'
import { describe, expect, test, vi } from 'vitest'
import { type ConsoleHandler, consoleHandler } from '../src/index.ts'
import { nodeListener } from '../src/node.ts'
import { hiddenFields, park } from './open-console.ts'

class Root {}
Module({})(Root)

/** Serves the console, and returns its origin and how to end it. */
type Mount = (handle: ConsoleHandler) => Promise<{ origin: string; close(): Promise<unknown> }>

const mounts: Record<string, Mount> = {
  'plain Node': (handle) => listen(nodeListener(handle)),
  Express: (handle) => listen(express().use('/idempotency', nodeListener(handle))),
  'Express, after its parsers': (handle) =>
    listen(
      express()
        .use(express.urlencoded({ extended: true }), express.json())
        .use('/idempotency', nodeListener(handle)),
    ),
  'Express, after a parser of text': (handle) =>
    listen(
      express()
        .use(express.text({ type: '*/*' }))
        .use('/idempotency', nodeListener(handle)),
    ),
  'Express, after a parser of bytes': (handle) =>
    listen(
      express()
        .use(express.raw({ type: '*/*' }))
        .use('/idempotency', nodeListener(handle)),
    ),
  Koa(handle) {
    const app = new Koa()
    const listener = nodeListener(handle)
    app.use((ctx, next) => {
      if (!ctx.path.startsWith('/idempotency')) return next()
      ctx.respond = false
      return listener(ctx.req, ctx.res)
    })
    return listen(app.callback())
  },
  async Fastify(handle) {
    const app = fastify()
    const listener = nodeListener(handle)
    app.register((scope, _options, done) => {
      scope.removeAllContentTypeParsers()
      scope.addContentTypeParser('*', (_request, _payload, parsed) => parsed(null))
      scope.all('/idempotency*', async (request, reply) => {
        reply.hijack()
        await listener(request.raw, reply.raw)
      })
      done()
    })
    return { origin: await app.listen({ port: 0, host: '127.0.0.1' }), close: () => app.close() }
  },
  async NestJS(handle) {
    const app = await NestFactory.create(Root, { logger: false })
    app.use('/idempotency', nodeListener(handle))
    await app.listen(0, '127.0.0.1')
    return { origin: originOf(app.getHttpServer()), close: () => app.close() }
  },
  async Hono(handle) {
    const app = new Hono().all('/idempotency/*', (c) => handle(c.req.raw)).all('/idempotency', (c) => handle(c.req.raw))
    return listen(nodeListener(async (request) => app.fetch(request)))
  },
}

async function listen(listener: RequestListener) {
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { origin: originOf(server), close: () => new Promise((resolve) => server.close(resolve)) }
}

const originOf = (server: Server) => `http://127.0.0.1:${(server.address() as AddressInfo).port}`

async function parkedShop(): Promise<{ shop: Idempotency; key: string }> {
  const shop = createIdempotency({ store: memoryStore(), namespace: 'shop', purge: false })
  await park(shop, 'refund')
  for await (const { key } of shop.list()) return { shop, key }
  throw new Error('Nothing was parked.')
}

describe.each(Object.entries(mounts))('%s', (_, mount) => {
  test('serves pages, and takes a form', { timeout: 30_000 }, async () => {
    const { shop, key } = await parkedShop()
    const { origin, close } = await mount(consoleHandler({ idempotency: shop, authorize: () => ({ name: 'ada' }) }))
    try {
      expect(await (await fetch(`${origin}/idempotency`)).text()).toContain('1 key is parked')
      const path = `${origin}/idempotency/records/${key}/complete`
      const form = await fetch(path)
      const cookie = form.headers.get('set-cookie')?.split(';')[0] ?? ''
      const body = new URLSearchParams({ ...hiddenFields(await form.text()), value: '{ "id": "ré_1" }' })
      const sent = await fetch(path, { method: 'POST', body, headers: { cookie, origin }, redirect: 'manual' })
      expect([sent.status, sent.headers.get('location')]).toEqual([303, `/idempotency/records/${key}?done=complete`])
      expect(await shop.inspect({ key })).toMatchObject({ state: 'completed', value: { id: 'ré_1' } })
    } finally {
      await close()
    }
  })
})

test('a proxy may serve it at another path, where links, forms and the cookie lead', async () => {
  const { shop, key } = await parkedShop()
  const handle = consoleHandler({ idempotency: shop, publicPath: '/ops/keys', authorize: () => ({ name: 'ada' }) })
  const console = await listen(nodeListener(handle))
  const proxy = await listen((req, res) => {
    const headers = { ...req.headers, host: new URL(console.origin).host }
    const path = req.url?.replace(/^\/ops\/keys/, '/idempotency')
    const upstream = request(`${console.origin}${path}`, { method: req.method, headers }, (answer) => {
      res.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(res)
    })
    req.pipe(upstream)
  })
  try {
    const page = await (await fetch(`${proxy.origin}/ops/keys`)).text()
    const links = [...page.matchAll(/ (?:href|src|action)="(\/[^"]*)"/g)].map(([, link]) => link ?? '')
    expect(links.filter((link) => !link.startsWith('/ops/keys/'))).toEqual([])
    for (const link of links.filter((each) => each.includes('/assets/')))
      expect((await fetch(proxy.origin + link)).status).toBe(200)
    const path = `${proxy.origin}/ops/keys/records/${key}/rerun`
    const form = await fetch(path)
    expect(form.headers.get('set-cookie')).toContain('Path=/ops/keys;')
    const cookie = form.headers.get('set-cookie')?.split(';')[0] ?? ''
    const body = new URLSearchParams({ ...hiddenFields(await form.text()), certain: 'yes' })
    const headers = { cookie, 'sec-fetch-site': 'same-origin' }
    const sent = await fetch(path, { method: 'POST', body, headers, redirect: 'manual' })
    expect([sent.status, sent.headers.get('location')]).toEqual([303, `/ops/keys/records/${key}?done=rerun`])
  } finally {
    await proxy.close()
    await console.close()
  }
})

test('an authorize that throws is answered, and its reason is for the log alone', async () => {
  const { shop } = await parkedShop()
  const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
  const authorize = () => Promise.reject(new Error('no session store at redis://ops:hunter2@db'))
  const { origin, close } = await listen(nodeListener(consoleHandler({ idempotency: shop, authorize })))
  const response = await fetch(`${origin}/idempotency`)
  const text = await response.text()
  await close()
  expect([response.status, response.headers.get('cache-control')]).toEqual([500, 'no-store'])
  expect(text).toMatch(/log of the application/)
  expect(text).not.toContain('session')
  expect(JSON.stringify(warned.mock.calls)).toContain('no session store')
  warned.mockRestore()
})
