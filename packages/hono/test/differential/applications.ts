/** Hono on Node, over HTTP/1.1 and HTTP/2, answering in every way that it documents. */
import { createServer } from 'node:http2'
import { serve as listen, type ServerType } from '@hono/node-server'
import { unscoped } from '@retryproof/core'
import { type Context, type ErrorHandler, type Handler, Hono, type MiddlewareHandler } from 'hono'
import type { Application, Bench, Form } from '../../../../conformance/src/http/differential/application.ts'
import { describeThrown } from '../../../../conformance/src/http/differential/endings/thrown-values.ts'
import { idempotent } from '../../src/index.ts'
import { endingsOver } from './endings.ts'

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

function serve(protocol: Application['protocol'], form: Form, bench: Bench): Promise<number> {
  const app = new Hono()
  const handler = (c: Context) => {
    bench.ran()
    return endingsOver(protocol)[Number(c.req.param('ending'))]?.handle(c)
  }
  for (const [name, onError] of Object.entries(errorHandlers)) {
    const router = new Hono()
    if (onError) router.onError(onError)
    router.post('/:ending', ...stackOf(form, handler, bench))
    app.route(`/${name}`, router)
  }
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

function honoApplication(name: string, protocol: Application['protocol']): Application {
  return {
    name,
    protocol,
    isFetch: true,
    forms: ['bare', 'before', 'given', 'transaction'],
    errorHandlers: protocol === 'HTTP/2' ? ['none', 'own-200'] : Object.keys(errorHandlers),
    endings: endingsOver(protocol),
    serve: (form, bench) => serve(protocol, form, bench),
  }
}

export const applications: readonly Application[] = [
  honoApplication('Hono on Node', 'HTTP/1.1'),
  honoApplication('Hono on Node over HTTP/2', 'HTTP/2'),
]
