/** Koa 3 and 2, over HTTP/1.1 and HTTP/2, answering in every way that they document. */
import { createServer } from 'node:http'
import { createServer as createHttp2Server } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { Router, type RouterMiddleware } from '@koa/router'
import { unscoped } from '@retryproof/core'
import Koa, { type Context, type Middleware, type Next } from 'koa'
import Koa2 from 'koa2'
import type { Application, Bench, Form } from '../../../../conformance/src/http/differential/application.ts'
import { describeThrown } from '../../../../conformance/src/http/differential/endings/thrown-values.ts'
import { idempotent } from '../../src/index.ts'
import { http2KoaEndings, type KoaEnding, koa3Endings, koaEndings } from './endings.ts'

type OnError = (ctx: Context, error: unknown) => void

const errorHandlers: Record<string, OnError | undefined> = {
  none: undefined,
  'own-500': (ctx, error) => {
    ctx.status = 500
    ctx.body = { handled: describeThrown(error) }
  },
  'own-200': (ctx, error) => {
    ctx.status = 200
    ctx.body = { jsonrpc: '2.0', error: describeThrown(error) }
  },
  rethrows: () => {
    throw new Error('the error handler failed')
  },
}

function stackOf(form: Form, handler: (ctx: Context, next: Next) => unknown, bench: Bench): Middleware[] {
  const { idempotency, write } = bench
  const options = { scope: unscoped } as const
  const none: Next = async () => {}
  if (form === 'bare') return [handler as Middleware]
  if (form === 'before') return [idempotent(idempotency, options), handler as Middleware]
  if (form === 'given') return [idempotent(idempotency, options, async (ctx) => handler(ctx, none))]
  const transaction = idempotent(idempotency, { ...options, transaction: true }, async (ctx, { tx }) => {
    await write(tx)
    await handler(ctx, none)
  })
  return [transaction]
}

async function serve(Framework: typeof Koa, application: Application, form: Form, bench: Bench): Promise<number> {
  const app = new Framework()
  app.silent = true
  const handler = async (ctx: Context) => {
    bench.ran()
    const { ending } = ctx.params as { ending: string }
    await (application.endings as readonly KoaEnding[])[Number(ending)]?.handle(ctx)
  }
  for (const [name, onError] of Object.entries(errorHandlers)) {
    const router = new Router({ prefix: `/${name}` })
    const guarding: Middleware = async (ctx, next) => {
      try {
        await next()
      } catch (error) {
        if (!onError) throw error
        onError(ctx, error)
      }
    }
    router.post('/:ending', ...([guarding, ...stackOf(form, handler, bench)] as RouterMiddleware[]))
    app.use(router.routes() as Middleware)
  }
  const server = application.protocol === 'HTTP/2' ? createHttp2Server(app.callback()) : createServer(app.callback())
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

export function koaApplication(
  name: string,
  Framework: typeof Koa,
  protocol: Application['protocol'],
  endings: readonly KoaEnding[],
  handlers: readonly string[] = ['none', 'own-200'],
): Application {
  const application: Application = {
    name,
    protocol,
    forms: ['bare', 'before', 'given', 'transaction'],
    errorHandlers: handlers,
    endings,
    serve: (form, bench) => serve(Framework, application, form, bench),
  }
  return application
}

export const applications: readonly Application[] = [
  koaApplication('Koa 3', Koa, 'HTTP/1.1', koa3Endings, Object.keys(errorHandlers)),
  koaApplication('Koa 2', Koa2, 'HTTP/1.1', koaEndings),
  koaApplication('Koa 3 on HTTP/2', Koa, 'HTTP/2', http2KoaEndings),
]
