/** The same handler on two routes: `/bare`, and `/guarded`. */
import { createIdempotency, type Idempotency, unscoped } from '@retryproof/core'
import type { HttpOptions } from '@retryproof/http'
import { memoryStore } from '@retryproof/memory'
import { type Context, Hono, type MiddlewareHandler } from 'hono'
import { type IdempotentHandler, idempotent } from '../src/index.ts'

export interface Answer {
  readonly status: number
  readonly body: string
  readonly headers: readonly (readonly [string, string])[]
  readonly replayed: boolean
}

export async function answerOf(response: Response): Promise<Answer> {
  const { status } = response
  const ignored = [
    'content-length',
    'date',
    'idempotency-replayed',
    'instance',
    'keep-alive',
    'connection',
    'transfer-encoding',
  ]
  const headers = [...response.headers].filter(([name]) => !ignored.includes(name))
  return { status, body: await response.text(), headers, replayed: response.headers.has('Idempotency-Replayed') }
}

export function setUp(configure: (app: Hono) => void = () => {}) {
  const idempotency: Idempotency = createIdempotency({ store: memoryStore(), namespace: 'test' })
  const events: string[] = []
  for (const type of ['completed', 'released'] as const) idempotency.on(type, () => events.push(type))
  const app = new Hono()
  configure(app)
  const guard = (options: Partial<HttpOptions<Context>> = {}, handler?: IdempotentHandler): MiddlewareHandler =>
    idempotent(idempotency, { scope: unscoped, ...options }, handler)
  let runs = 0
  function both(handler: (c: Context) => unknown): void {
    const run = (c: Context) => {
      runs++
      return handler(c) as Response
    }
    app.post('/bare', run)
    app.post('/guarded', guard(), run)
    app.post('/given', guard({}, run))
  }
  const post = (path: string, init: RequestInit = {}) =>
    app.request(path, { method: 'POST', ...init, headers: { 'Idempotency-Key': 'k1', ...init.headers } })
  const ask = async (path: string, init?: RequestInit) => answerOf(await post(path, init))
  return { app, idempotency, guard, both, post, ask, events, runs: () => runs }
}
