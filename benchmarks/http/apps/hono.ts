import type { Server } from 'node:http'
import { serve } from '@hono/node-server'
import { idempotent } from '@retryproof/hono'
import { type Context, Hono, type MiddlewareHandler } from 'hono'
import { type App, listening, type Variant } from './app.ts'
import { byHand } from './by-hand.ts'
import { answerTo } from './order.ts'
import { nodeIdempotency } from './peer.ts'

export const app: App = {
  listen(variant) {
    const { fetch, post } = new Hono()
    post('/charges', guardOf(variant), async (c) => c.json(answerTo(await c.req.json()), 201))
    return listening((port, hostname, done) => serve({ fetch, port, hostname }, done) as Server)
  },
}

function guardOf(variant: Variant): MiddlewareHandler {
  switch (variant.kind) {
    case 'bare':
      return (_c, next) => next()
    case 'floor':
      return floor()
    case 'peer':
      return peer()
    case 'ours':
      return idempotent(variant.idempotency, { scope: () => 'user_42' })
  }
}

/** Takes the text where `json` makes it, since reading a finished response back costs several times the request. */
function floor(): MiddlewareHandler {
  const claim = byHand()
  return async (c: Context, next) => {
    const { answer, settle } = claim(c.req.header('idempotency-key'), await c.req.text())
    if (answer) {
      const { status, type, body } = answer
      return new Response(body as string, { status, headers: { 'Content-Type': type } })
    }
    let made = ''
    const json = (value: unknown, status: 201) => {
      made = JSON.stringify(value)
      return c.body(made, status, { 'Content-Type': 'application/json' })
    }
    Object.assign(c, { json })
    await next()
    settle({ status: c.res.status, type: 'application/json', body: made })
  }
}

function peer(): MiddlewareHandler {
  const idempotency = nodeIdempotency()
  return async (c, next) => {
    const headers = { 'idempotency-key': c.req.header('idempotency-key') }
    const asked = { method: c.req.method, path: c.req.path, headers, body: await c.req.json() }
    const known = await idempotency.onRequest(asked)
    if (known) return c.body(known.body as string, known.status as 201, { 'Content-Type': 'application/json' })
    await next()
    await idempotency.onResponse(asked, { status: c.res.status, body: await c.res.clone().text() })
  }
}
