/** NestJS on both platforms, answering in every way that it documents. */
import 'reflect-metadata'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import {
  Controller,
  HttpCode,
  type INestApplication,
  Module,
  Param,
  Post,
  Res,
  type Type,
  UseFilters,
  UseInterceptors,
} from '@nestjs/common'
import { HttpAdapterHost, NestFactory } from '@nestjs/core'
import { ExpressAdapter } from '@nestjs/platform-express'
import { FastifyAdapter } from '@nestjs/platform-fastify'
import { unscoped } from '@retryproof/core'
import express from 'express'
import type { Application, Bench, Form } from '../../../../conformance/src/http/differential/application.ts'
import { describeThrown } from '../../../../conformance/src/http/differential/endings/thrown-values.ts'
import { idempotent, Transaction } from '../../src/index.ts'
import type { Platform } from '../app.ts'
import { nestEndings } from './endings.ts'
import { filterOf } from './filter.ts'
import type { NestEnding, Replier } from './nest-ending.ts'

/** Answers what was thrown with a status. */
const errorHandlers: Record<string, ((error: unknown) => [status: number, body: unknown]) | undefined> = {
  none: undefined,
  'own-500': (error) => [500, { handled: describeThrown(error) }],
  'own-200': (error) => [200, { jsonrpc: '2.0', error: describeThrown(error) }],
}

function decorate(target: Type, name: string, decorators: readonly MethodDecorator[]): void {
  const descriptor = Object.getOwnPropertyDescriptor(target.prototype, name)
  if (descriptor) for (const decorator of decorators) decorator(target.prototype, name, descriptor)
}

/** Does as users who write `@Controller(…) class { @Post(':ending') @UseInterceptors(…) handle(…) { … } }`. */
function controllerOf(
  endings: readonly NestEnding[],
  form: Form,
  bench: Bench,
  name: string,
  host: () => HttpAdapterHost,
): Type {
  const { idempotency, ran, write } = bench
  class EndingController {
    async returned(ending: string, response: object, tx?: unknown) {
      return this.run(ending, response, tx)
    }
    async called(ending: string, response: object, tx?: unknown) {
      await this.run(ending, response, tx)
    }
    async run(ending: string, response: object, tx: unknown): Promise<unknown> {
      ran()
      if (form === 'transaction') await write(tx)
      const { httpAdapter } = host()
      const raw = (response as { raw?: ServerResponse }).raw ?? (response as ServerResponse)
      const replier: Replier = { adapter: httpAdapter, response, raw, request: raw.req as IncomingMessage }
      return endings[Number(ending)]?.handle(replier)
    }
  }
  /** Takes the request of a method: `decorators` stand nearest to it, and the guard around them. */
  function route(method: string, path: string, passthrough: boolean, decorators: readonly MethodDecorator[]): void {
    Res({ passthrough })(EndingController.prototype, method, 1)
    Param('ending')(EndingController.prototype, method, 0)
    if (form === 'transaction') Transaction()(EndingController.prototype, method, 2)
    const options = { scope: unscoped, transaction: form === 'transaction' } as const
    const guard = form === 'bare' ? [] : [UseInterceptors(idempotent(idempotency, options))]
    decorate(EndingController, method, [HttpCode(200), ...guard, ...decorators, Post(path)])
  }
  Controller(name)(EndingController)
  const answer = errorHandlers[name]
  if (answer) UseFilters(filterOf(answer))(EndingController)
  for (const [index, { decorators }] of endings.entries()) {
    if (!decorators) continue
    const method = `decorated${index}`
    Object.defineProperty(EndingController.prototype, method, {
      configurable: true,
      value(this: EndingController, _ending: string, response: object, tx?: unknown) {
        return this.run(String(index), response, tx)
      },
    })
    route(method, `decorated/${index}`, true, decorators)
  }
  route('returned', ':ending', true, [])
  route('called', 'call/:ending', false, [])
  return EndingController
}

async function serve(platform: Platform, protocol: Application['protocol'], form: Form, bench: Bench): Promise<number> {
  let nest: INestApplication | undefined
  const host = () => (nest as INestApplication).get(HttpAdapterHost)
  class Root {}
  const controllers = Object.keys(errorHandlers).map((name) =>
    controllerOf(nestEndings(platform, protocol), form, bench, name, host),
  )
  Module({ controllers })(Root)
  const options = { logger: false, forceCloseConnections: true } as const
  nest = await NestFactory.create(Root, platform === 'Express' ? expressWithViews() : fastifyOf(protocol), options)
  await nest.listen(0, '127.0.0.1')
  return (nest.getHttpServer().address() as AddressInfo).port
}

/** A template is a file, and an engine that looks at its options alone. */
function expressWithViews(): ExpressAdapter {
  const app = express()
  app.engine('ts', (_path, options, done) => done(null, `rendered ${String((options as { name?: string }).name)}`))
  app.set('views', import.meta.dirname).set('view engine', 'ts')
  return new ExpressAdapter(app)
}

function fastifyOf(protocol: Application['protocol']): FastifyAdapter {
  if (protocol === 'HTTP/1.1') return new FastifyAdapter({ forceCloseConnections: true })
  return new FastifyAdapter({ http2: true, http2SessionTimeout: 0 })
}

function nestApplication(name: string, platform: Platform, protocol: Application['protocol']): Application {
  return {
    name,
    protocol,
    forms: ['bare', 'before', 'transaction'],
    errorHandlers: protocol === 'HTTP/2' ? ['none', 'own-200'] : Object.keys(errorHandlers),
    endings: nestEndings(platform, protocol),
    serve: (form, bench) => serve(platform, protocol, form, bench),
  }
}

export const applications: readonly Application[] = [
  nestApplication('NestJS on Express', 'Express', 'HTTP/1.1'),
  nestApplication('NestJS on Fastify', 'Fastify', 'HTTP/1.1'),
  nestApplication('NestJS on Fastify over HTTP/2', 'Fastify', 'HTTP/2'),
]
