/** Hono on Node, over HTTP/1.1 and HTTP/2, answering in every way that it documents. */
import { createServer } from 'node:http2'
import { serve as listen, type ServerType } from '@hono/node-server'
import { unscoped } from '@retryproof/core'
import { type Context, type ErrorHandler, type Handler, Hono, type MiddlewareHandler } from 'hono'
import type { Application, Bench, Form } from '../../../../conformance/src/http/differential/application.ts'
import { describeThrown } from '../../../../conformance/src/http/differential/endings/thrown-values.ts'
import { serveInjected } from '../../../../conformance/src/http/differential/serve-injected.ts'
import { idempotent } from '../../src/index.ts'
import { endingsOver, type HonoEnding, honoAnswers, honoEndings, undiciAnswers } from './endings.ts'

const errorHandlers: Record<string, ErrorHandler | undefined> = {
  none: undefined,
  'own-500': (error, c) => c.json({ handled: describeThrown(error) }, 500),
  'own-200': (error, c) => c.json({ jsonrpc: '2.0', error: describeThrown(error) }),
  rethrows: () => {
    throw new Error('the error handler failed')
  },
}

type Stack = [MiddlewareHandler | Handler, ...MiddlewareHandler[]]

function stackOf(form: Form, handler: (c: Context) => unknown, { idempotency, write }: Bench): Stack {
  const options = { scope: unscoped } as const
  const last = handler as MiddlewareHandler
  if (form === 'bare') return [last]
  if (form === 'before') return [idempotent(idempotency, options), last]
  if (form === 'given') return [idempotent(idempotency, options, (c) => handler(c) as Response)]
  const transaction = idempotent(idempotency, { ...options, transaction: true }, async (c, { tx }) => {
    await write(tx)
    return handler(c) as Response
  })
  return [transaction]
}

function routerOf(endings: readonly HonoEnding[], form: Form, bench: Bench, onError?: ErrorHandler): Hono {
  const router = new Hono()
  const handler = (c: Context) => {
    bench.ran()
    return endings[Number(c.req.param('ending'))]?.handle(c)
  }
  if (onError) router.onError(onError)
  router.post('/:ending', ...stackOf(form, handler, bench))
  return router
}

function appOf(endings: readonly HonoEnding[], form: Form, bench: Bench): Hono {
  const app = new Hono()
  for (const [name, onError] of Object.entries(errorHandlers)) {
    app.route(`/${name}`, routerOf(endings, form, bench, onError))
  }
  return app
}

/** Mounts an application. `before`: the guard stands before the mount. */
function mountOf(endings: readonly HonoEnding[], form: Form, bench: Bench): Hono {
  const app = new Hono()
  const isOutside = form === 'before'
  const options = { scope: unscoped, operation: 'answer' } as const
  for (const [name, onError] of Object.entries(errorHandlers)) {
    if (isOutside) app.use(`/${name}/*`, idempotent(bench.idempotency, options))
    app.mount(`/${name}`, routerOf(endings, isOutside ? 'bare' : form, bench, onError).fetch)
  }
  return app
}

function listenWith(app: Hono, protocol: Application['protocol']): Promise<number> {
  return new Promise((resolve) => {
    const options = {
      fetch: app.fetch,
      port: 0,
      hostname: '127.0.0.1',
      ...(protocol === 'HTTP/2' && { createServer }),
    }
    const _server: ServerType = listen(options, ({ port }) => resolve(port))
  })
}

/** Serves an application that gets its requests by `app.request`. */
function listenAndRequest(app: Hono): Promise<number> {
  return serveInjected(async ({ url, headers, body }) => {
    const response = await app.request(url, {
      method: 'POST',
      headers: headers as Record<string, string>,
      body: new Uint8Array(body),
    })
    const cookies = response.headers.getSetCookie()
    return {
      status: response.status,
      reason: response.statusText,
      headers: { ...Object.fromEntries(response.headers), ...(cookies.length > 0 && { 'set-cookie': cookies }) },
      body: new Uint8Array(await response.arrayBuffer()),
    }
  })
}

export function honoApplication(
  name: string,
  protocol: Application['protocol'],
  endings: readonly HonoEnding[] = endingsOver(protocol),
): Application {
  return {
    name,
    protocol,
    isFetch: true,
    forms: ['bare', 'before', 'given', 'transaction'],
    errorHandlers: protocol === 'HTTP/2' ? ['none', 'own-200'] : Object.keys(errorHandlers),
    endings,
    serve: (form, bench) => listenWith(appOf(endings, form, bench), protocol),
  }
}

export const applications: readonly Application[] = [
  honoApplication('Hono on Node', 'HTTP/1.1'),
  honoApplication('Hono on Node over HTTP/2', 'HTTP/2'),
  { ...honoApplication('Hono on Node with undici', 'HTTP/1.1', undiciAnswers), errorHandlers: ['own-200'] },
  {
    ...honoApplication('Hono, mounted', 'HTTP/1.1', honoAnswers),
    errorHandlers: ['none'],
    serve: (form, bench) => listenWith(mountOf(honoAnswers, form, bench), 'HTTP/1.1'),
  },
  {
    ...honoApplication('Hono by app.request', 'HTTP/1.1'),
    errorHandlers: ['own-200'],
    serve: (form, bench) => listenAndRequest(appOf(honoEndings, form, bench)),
  },
]
