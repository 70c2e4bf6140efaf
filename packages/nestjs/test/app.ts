/** The application of the suite on Nest: a controller for each route, on either platform. */
import 'reflect-metadata'
import type { ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { gzipSync } from 'node:zlib'
import fastifyCompress from '@fastify/compress'
import {
  Controller,
  HttpException,
  type INestApplication,
  Inject,
  Module,
  type NestInterceptor,
  Req,
  RequestMapping,
  RequestMethod,
  Res,
  ServiceUnavailableException,
  StreamableFile,
  type Type,
  UseInterceptors,
} from '@nestjs/common'
import { HttpAdapterHost, NestFactory } from '@nestjs/core'
import { ExpressAdapter, type NestExpressApplication } from '@nestjs/platform-express'
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify'
import type { BindingServer } from '@retryproof/conformance/http'
import { type Answer, type BindingApp, bindingApp, type Route } from '@retryproof/conformance/http/app'
import type { IdempotencyStore } from '@retryproof/core'
import type { HandlerAttempt } from '@retryproof/http'
import compression from 'compression'
import type { Request, Response } from 'express'
import { from, raceWith } from 'rxjs'
import { Attempt, idempotent, type NestRequest, serveStatus, Transaction } from '../src/index.ts'

export type Platform = 'Express' | 'Fastify'

/** The members that both platforms have. */
interface Native extends NestRequest {
  readonly raw?: { readonly socket: Request['socket'] }
  readonly socket: Request['socket']
}

export async function serveSuite(platform: Platform, store: IdempotencyStore<unknown>): Promise<BindingServer> {
  const app = bindingApp<Native>({ store, header: headerOf })
  const nest =
    platform === 'Express'
      ? await onExpress(app, moduleOf(platform, app))
      : await onFastify(app, moduleOf(platform, app))
  await nest.listen(0, '127.0.0.1')
  return { port: (nest.getHttpServer().address() as AddressInfo).port, close: () => nest.close() }
}

const options = { logger: false, rawBody: true, forceCloseConnections: true } as const

async function onExpress(app: BindingApp<Native>, module: Type): Promise<INestApplication> {
  const nest = await NestFactory.create<NestExpressApplication>(module, new ExpressAdapter(), options)
  nest.use((_req: Request, res: { append(name: string, value: string): void }, next: () => void) => {
    for (const [name, value] of app.before()) res.append(name, value)
    next()
  })
  nest.useBodyParser('raw', { type: ['application/octet-stream', 'text/plain'] })
  for (const { path, compression: place } of app.routes) {
    if (place === 'outside') nest.use(path, compression({ threshold: 0 }))
  }
  return nest
}

async function onFastify(app: BindingApp<Native>, module: Type): Promise<INestApplication> {
  const adapter = new FastifyAdapter({ forceCloseConnections: true })
  const nest = await NestFactory.create<NestFastifyApplication>(module, adapter, options)
  // its types are those of another version of Fastify
  await nest.register(fastifyCompress as never, { threshold: 0, encodings: ['gzip'], globalDecompression: false })
  adapter.getInstance().addHook('onRequest', async (_request, reply) => {
    for (const [name, value] of app.before()) reply.header(name, value)
  })
  // not by useBodyParser, which would take the place of Nest's own parsers
  const parse = (_request: unknown, body: Buffer, done: (error: null, body: Buffer) => void) => done(null, body)
  adapter.getInstance().addContentTypeParser(['application/octet-stream', 'text/plain'], { parseAs: 'buffer' }, parse)
  return nest
}

function headerOf({ headers }: Native, name: string): string | undefined {
  return [headers[name]].flat()[0]
}

function moduleOf(platform: Platform, app: BindingApp<Native>): Type {
  class Root {}
  const controllers = [...app.routes.map(controllerOf), statusController(platform, app)]
  Module({ controllers })(Root)
  return Root
}

interface Served {
  readonly request: Native
  readonly response: object
  readonly attempt: HandlerAttempt | undefined
  readonly tx: unknown
}

/** Does as users who write `@Controller(…) class { @Post(…) @UseInterceptors(…) handle(…) { … } }`. */
function controllerOf(route: Route<Native>): Type {
  const { guard, method, prefix = '', path, transaction, timeout } = route
  const isByCall = byCall.has(path)
  class RouteController {
    private readonly host: HttpAdapterHost
    constructor(host: HttpAdapterHost) {
      this.host = host
    }
    async handle(request: Native, response: object, attempt: HandlerAttempt | undefined, tx?: unknown) {
      const served = { request, response, attempt, tx }
      return isByCall ? answerByCall(route, this.host, served) : answerByValue(route, this.host, served)
    }
  }
  Controller(prefix)(RouteController)
  Inject(HttpAdapterHost)(RouteController, undefined, 0)
  const response = isByCall ? Res() : Res({ passthrough: true })
  const parameters = [Req(), response, Attempt(), ...(transaction ? [Transaction()] : [])]
  for (const [index, parameter] of parameters.entries()) parameter(RouteController.prototype, 'handle', index)
  const decorators = [RequestMapping({ path, method: RequestMethod[method] })]
  if (guard) {
    const { idempotency, options, outer } = guard
    const guards = [...(outer ? [outer] : []), { ...options, transaction }].map((each) => idempotent(idempotency, each))
    decorators.push(UseInterceptors(...(timeout ? [timeOut(timeout)] : []), ...guards))
  }
  decorate(RouteController, decorators)
  return RouteController
}

/** As the `TimeoutInterceptor` of Nest's documentation does it. */
function timeOut(timeout: (id: string) => Promise<void>): NestInterceptor {
  return {
    intercept(context, next) {
      const id = headerOf(context.switchToHttp().getRequest<Native>(), 'x-case') ?? ''
      const passed = timeout(id).then(() => Promise.reject(new ServiceUnavailableException()))
      return next.handle().pipe(raceWith(from(passed)))
    },
  }
}

function statusController(platform: Platform, { status }: BindingApp<Native>): Type {
  class StatusController {
    handle() {}
  }
  Controller(status.path)(StatusController)
  const path = platform === 'Express' ? ':id' : '*'
  decorate(StatusController, [RequestMapping({ path }), UseInterceptors(serveStatus(status.resource))])
  return StatusController
}

function decorate({ prototype }: { readonly prototype: object }, decorators: readonly MethodDecorator[]): void {
  const descriptor = Object.getOwnPropertyDescriptor(prototype, 'handle')
  if (descriptor) for (const decorator of decorators) decorator(prototype, 'handle', descriptor)
}

/** Routes whose handlers take the response to themselves, `@Res()`; the others return what they answer. */
const byCall = new Set(['/redirect', '/throws-late', '/refusal', '/timed-kept', '/deleted-end', '/deleted-methods'])

/** The response of Node, which Express gives itself and Fastify holds. */
function rawOf(response: object): ServerResponse {
  return 'raw' in response ? (response.raw as ServerResponse) : (response as ServerResponse)
}

function answerOf({ handle }: Route<Native>, { request, response, attempt, tx }: Served): Promise<Answer> {
  return handle({
    attempt,
    tx,
    header: (name) => headerOf(request, name),
    body: async () => request.body,
    response: rawOf(response),
    clientGone: () => new Promise((resolve) => (request.raw ?? request).socket.once('close', () => resolve())),
  })
}

async function answerByCall(route: Route<Native>, { httpAdapter }: HttpAdapterHost, served: Served): Promise<void> {
  const answer = await answerOf(route, served)
  if ('redirect' in answer) return httpAdapter.redirect(served.response, answer.status, answer.redirect)
  if ('fails' in answer) throw new HttpException('as it was told', answer.fails)
  if (typeof answer.raw === 'function') return answer.raw(rawOf(served.response))
  httpAdapter.reply(served.response, answer.body && 'json' in answer.body ? answer.body.json : undefined, answer.status)
  if (answer.throwsAfterwards) throw new Error('too late')
}

async function answerByValue(route: Route<Native>, { httpAdapter }: HttpAdapterHost, served: Served): Promise<unknown> {
  const answer = await answerOf(route, served)
  if ('fails' in answer) throw new HttpException('as it was told', answer.fails)
  if ('redirect' in answer) throw new Error('is answered by a call')
  const { status, headers = [], removes = [], body } = answer
  httpAdapter.status(served.response, status)
  for (const name of removes) (served.response as Response).removeHeader(name)
  const fields = new Map<string, string[]>()
  for (const [name, value] of headers) fields.set(name, [...(fields.get(name) ?? []), value])
  for (const [name, values] of fields) {
    const value: unknown = values.length > 1 ? values : values[0]
    httpAdapter.setHeader(served.response, name, value as string)
  }
  if (!body) return undefined
  if ('text' in body) return body.text
  if ('bytes' in body) return new StreamableFile(body.bytes)
  if ('chunks' in body) return new StreamableFile(Readable.from(body.chunks, { objectMode: false }))
  if (route.compression !== 'inside' || headerOf(served.request, 'accept-encoding') !== 'gzip') return body.json
  httpAdapter.setHeader(served.response, 'Content-Encoding', 'gzip')
  return new StreamableFile(gzipSync(JSON.stringify(body.json)), { type: 'application/json' })
}
