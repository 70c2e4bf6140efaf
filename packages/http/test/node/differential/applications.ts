/** Plain servers of Node, over HTTP/1.1 and HTTP/2, answering in every way that they document. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createHttp2Server } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { unscoped } from '@retryproof/core'
import type { Application, Bench, Form } from '../../../../../conformance/src/http/differential/application.ts'
import type { NodeEnding } from '../../../../../conformance/src/http/differential/endings/node-ending.ts'
import { http2Endings, nodeEndings } from '../../../../../conformance/src/http/differential/endings/node-endings.ts'
import { programEnding } from '../../../../../conformance/src/http/differential/endings/programs.ts'
import { describeThrown } from '../../../../../conformance/src/http/differential/endings/thrown-values.ts'
import { idempotent } from '../../../src/node.ts'
import { http2Failures, plainFailures } from './endings.ts'

type OnError = (error: unknown, req: IncomingMessage, res: ServerResponse) => void

/** A server without a framework has an error handler in any case: nobody else would end the answer. */
const errorHandlers: Record<string, OnError> = {
  'own-500': (error, _req, res) => {
    if (res.headersSent) res.destroy()
    else res.writeHead(500).end(describeThrown(error))
  },
  'own-200': (error, _req, res) => {
    if (res.headersSent) return void res.destroy()
    res.setHeader('Content-Type', 'application/json')
    res.end(JSON.stringify({ error: describeThrown(error) }))
  },
  'ends-late': (error, _req, res) => {
    if (!res.headersSent) res.statusCode = 500
    res.end(res.headersSent ? '...and failed' : describeThrown(error))
  },
}

type Handler = (req: IncomingMessage, res: ServerResponse) => unknown
type Listener = (req: IncomingMessage, res: ServerResponse) => void

function listenerOf(form: Form, handler: Handler, onError: OnError, { idempotency, write }: Bench): Listener {
  const options = { scope: unscoped, operation: 'answer', onError } as const
  if (form === 'given') return idempotent(idempotency, options, handler)
  if (form === 'transaction') {
    return idempotent(idempotency, { ...options, transaction: true }, async (req, res, { tx }) => {
      await write(tx)
      return handler(req, res)
    })
  }
  return async (req, res) => {
    try {
      await handler(req, res)
    } catch (error) {
      onError(error, req, res)
    }
  }
}

async function serve(
  protocol: Application['protocol'],
  endings: readonly NodeEnding[],
  form: Form,
  bench: Bench,
): Promise<number> {
  const handler: Handler = (req, res) => {
    bench.ran()
    return endings[Number(req.url?.split('/')[2])]?.handle(res, req)
  }
  const listeners = new Map(
    Object.entries(errorHandlers).map(([name, onError]) => [name, listenerOf(form, handler, onError, bench)]),
  )
  const listener: Listener = (req, res) => listeners.get(req.url?.split('/')[1] ?? '')?.(req, res)
  const server = protocol === 'HTTP/2' ? createHttp2Server(listener as never) : createServer(listener)
  await new Promise<void>((resolve) => (server as Server).listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

export function plainApplication(
  name: string,
  protocol: Application['protocol'],
  endings: readonly NodeEnding[],
): Application {
  return {
    name,
    protocol,
    forms: ['bare', 'given', 'transaction'],
    errorHandlers: protocol === 'HTTP/2' ? ['own-500', 'own-200'] : Object.keys(errorHandlers),
    endings,
    serve: (form, bench) => serve(protocol, endings, form, bench),
  }
}

export const applications: readonly Application[] = [
  plainApplication('Node', 'HTTP/1.1', [...nodeEndings, ...plainFailures, programEnding(true)]),
  plainApplication('Node over HTTP/2', 'HTTP/2', [...http2Endings, ...http2Failures]),
]
