import { createHash } from 'node:crypto'
import type { Server } from 'node:http'
import { serve } from '@hono/node-server'
import { idempotent } from '@retryproof/hono'
import { type Context, Hono, type MiddlewareHandler } from 'hono'
import type { App, Variant } from './app.ts'
import { answerTo } from './order.ts'

export const app: App = {
  listen(variant) {
    const server = new Hono()
    server.post('/charges', guardOf(variant), async (c) => c.json(answerTo(await c.req.json()), 201))
    return new Promise<Server>((resolve) => {
      const listening = serve({ fetch: server.fetch, port: 0, hostname: '127.0.0.1' }, () =>
        resolve(listening as Server),
      )
    })
  },
}

function guardOf(variant: Variant): MiddlewareHandler {
  switch (variant.kind) {
    case 'bare':
      return (_c, next) => next()
    case 'floor':
      return byHand()
    case 'guarded':
      return idempotent(variant.idempotency, { scope: () => 'user_42' })
  }
}

interface Stored {
  readonly fingerprint: string
  answer?: { readonly status: number; readonly headers: Headers; readonly body: string }
}

/** Takes the text where `json` makes it, since reading a finished response back costs several times the request. */
function byHand(): MiddlewareHandler {
  const records = new Map<string, Stored>()
  return async (c: Context, next) => {
    const key = c.req.header('idempotency-key') ?? ''
    const fingerprint = createHash('sha256')
      .update(await c.req.text())
      .digest('hex')
    const stored = records.get(key)
    if (stored?.answer && stored.fingerprint === fingerprint) {
      const { status, headers, body } = stored.answer
      return new Response(body, { status, headers })
    }
    if (stored) return c.body(null, stored.answer ? 422 : 409)
    const record: Stored = { fingerprint }
    records.set(key, record)
    let made = ''
    const json = (value: unknown, status: 201) => {
      made = JSON.stringify(value)
      return c.body(made, status, { 'Content-Type': 'application/json' })
    }
    Object.assign(c, { json })
    await next()
    record.answer = { status: c.res.status, headers: c.res.headers, body: made }
  }
}
