/** Fastify, over HTTP/1.1 and HTTP/2, answering in every way that it documents. */
import type { AddressInfo } from 'node:net'
import fastifyStatic from '@fastify/static'
import { unscoped } from '@retryproof/core'
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import type { Application, Bench, Form } from '../../../../conformance/src/http/differential/application.ts'
import { describeThrown } from '../../../../conformance/src/http/differential/endings/thrown-values.ts'
import { serveInjected } from '../../../../conformance/src/http/differential/serve-injected.ts'
import { idempotent } from '../../src/index.ts'
import { type FastifyEnding, fastifyEndings, http2FastifyEndings, injectedEndings } from './endings.ts'

type OnError = (error: unknown, request: FastifyRequest, reply: FastifyReply) => unknown

const errorHandlers: Record<string, OnError | undefined> = {
  none: undefined,
  'own-500': (error, _request, reply) => reply.code(500).send({ handled: describeThrown(error) }),
  'own-200': (error, _request, reply) => reply.code(200).send({ jsonrpc: '2.0', error: describeThrown(error) }),
  rethrows: () => {
    throw new Error('the error handler failed')
  },
}

type Handler = (request: FastifyRequest, reply: FastifyReply) => unknown

function routeOf(form: Form, handler: Handler, { idempotency, write }: Bench): object {
  const options = { scope: unscoped } as const
  if (form === 'bare') return { handler }
  if (form === 'before') return { ...idempotent(idempotency, options), handler }
  if (form === 'given') return idempotent(idempotency, options, (request, reply) => handler(request, reply))
  return idempotent(idempotency, { ...options, transaction: true }, async (request, reply, { tx }) => {
    await write(tx)
    return handler(request, reply)
  })
}

async function open(
  protocol: Application['protocol'],
  endings: readonly FastifyEnding[],
  form: Form,
  bench: Bench,
): Promise<FastifyInstance> {
  const options = { forceCloseConnections: true, exposeHeadRoutes: false }
  const app = (protocol === 'HTTP/2' ? Fastify({ ...options, http2: true }) : Fastify(options)) as FastifyInstance
  await app.register(fastifyStatic, { root: import.meta.dirname, serve: false })
  const handler: Handler = (request, reply) => {
    bench.ran()
    return endings[Number((request.params as { ending: string }).ending)]?.handle(request, reply)
  }
  for (const [name, onError] of Object.entries(errorHandlers)) {
    await app.register(
      (router, _options, done) => {
        if (onError) router.setErrorHandler(onError as never)
        router.route({ method: 'POST', url: '/:ending', ...routeOf(form, handler, bench) } as never)
        done()
      },
      { prefix: `/${name}` },
    )
  }
  return app
}

async function listen(app: FastifyInstance): Promise<number> {
  await app.listen({ port: 0, host: '127.0.0.1' })
  return (app.server.address() as AddressInfo).port
}

function listenAndInject(app: FastifyInstance): Promise<number> {
  return serveInjected(async ({ body, ...request }) => {
    const response = await app.inject({ ...request, method: 'POST', payload: body })
    const { statusCode, statusMessage, headers, rawPayload } = response
    return { status: statusCode, reason: statusMessage, headers, body: rawPayload }
  })
}

export function fastifyApplication(
  name: string,
  protocol: Application['protocol'],
  endings: readonly FastifyEnding[],
): Application {
  return {
    name,
    protocol,
    forms: ['bare', 'before', 'given', 'transaction'],
    errorHandlers: Object.keys(errorHandlers),
    endings,
    serve: async (form, bench) => listen(await open(protocol, endings, form, bench)),
  }
}

export const applications: readonly Application[] = [
  fastifyApplication('Fastify 5', 'HTTP/1.1', fastifyEndings),
  fastifyApplication('Fastify 5 on HTTP/2', 'HTTP/2', http2FastifyEndings),
  {
    ...fastifyApplication('Fastify 5 by inject', 'HTTP/1.1', injectedEndings),
    errorHandlers: ['own-200'],
    serve: async (form, bench) => listenAndInject(await open('HTTP/1.1', injectedEndings, form, bench)),
  },
]
