/** Express 5 and 4, answering in every way that they document. */
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { unscoped } from '@retryproof/core'
import express, { type ErrorRequestHandler, type Request, type RequestHandler, type Response } from 'express'
import express4 from 'express4'
import type { Application, Bench, Form } from '../../../../conformance/src/http/differential/application.ts'
import { describeThrown } from '../../../../conformance/src/http/differential/endings/thrown-values.ts'
import { idempotent } from '../../src/index.ts'
import { type ExpressEnding, endingsFor } from './endings.ts'

const errorHandlers: Record<string, ErrorRequestHandler | undefined> = {
  none: undefined,
  'own-500': (error, _req, res, next) => {
    if (res.headersSent) return next(error)
    res.status(500).json({ handled: describeThrown(error) })
  },
  'own-200': (error, _req, res, next) => {
    if (res.headersSent) return next(error)
    res.json({ jsonrpc: '2.0', error: describeThrown(error) })
  },
  'ends-late': (error, _req, res, _next) => {
    if (res.headersSent) return void res.end('...and failed')
    res.status(500).json({ handled: describeThrown(error) })
  },
}

export type Idempotent = typeof idempotent

/** @param guardOf `idempotent` for an ending, or one that is wrong */
export function expressApplication(
  name: string,
  framework: typeof express,
  endings: readonly ExpressEnding[],
  guardOf: (ending: number) => Idempotent = () => idempotent,
): Application {
  return {
    name,
    protocol: 'HTTP/1.1',
    forms: ['bare', 'before', 'given', 'transaction'],
    errorHandlers: Object.keys(errorHandlers),
    endings,
    serve(form, bench) {
      const routes = endings.map((ending, index) => stackOf(form, handlerOf(ending, bench), bench, guardOf(index)))
      return serve(framework, routes)
    },
  }
}

function handlerOf({ handle }: ExpressEnding, { ran }: Bench): RequestHandler {
  return (req: Request, res: Response, next) => {
    ran()
    return handle(req, res, next) as never
  }
}

function stackOf(form: Form, handler: RequestHandler, bench: Bench, guard: Idempotent): RequestHandler[] {
  const { idempotency, write } = bench
  const options = { scope: unscoped } as const
  const late: RequestHandler = () => {
    throw new Error('a handler that is given has no next')
  }
  const forms: Record<Form, () => RequestHandler[]> = {
    bare: () => [handler],
    before: () => [guard(idempotency, options), handler],
    given: () => [guard(idempotency, options, (req, res) => handler(req, res, late as never))],
    transaction: () => [
      guard(idempotency, { ...options, transaction: true }, async (req, res, { tx }) => {
        await write(tx)
        return handler(req, res, late as never)
      }),
    ],
  }
  return forms[form]()
}

async function serve(framework: typeof express, routes: readonly RequestHandler[][]): Promise<number> {
  const app = framework().set('env', 'production').disable('x-powered-by')
  app.engine('txt', (_path, options, done) => done(null, `rendered ${String((options as { name?: string }).name)}`))
  app.set('views', import.meta.dirname).set('view engine', 'txt')
  for (const [name, onError] of Object.entries(errorHandlers)) {
    const router = framework.Router()
    for (const [index, stack] of routes.entries()) router.post(`/${index}`, ...stack)
    if (onError) router.use(onError)
    app.use(`/${name}`, router)
  }
  const server = await new Promise<Server>((resolve) => {
    const listening: Server = app.listen(0, '127.0.0.1', () => resolve(listening))
  })
  return (server.address() as AddressInfo).port
}

export const applications: readonly Application[] = [
  expressApplication('Express 5', express, endingsFor(5)),
  expressApplication('Express 4', express4, endingsFor(4)),
]
