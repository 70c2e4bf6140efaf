/** The interceptor that stands for a guard of `@retryproof/http`. */
import type { CallHandler, ExecutionContext, NestInterceptor, OnModuleInit } from '@nestjs/common'
import { SSE_METADATA } from '@nestjs/common/constants.js'
import { type ApplicationConfig, type HttpAdapterHost, Reflector } from '@nestjs/core'
import type { Exchange, Guard } from '@retryproof/http'
import { givenBody, headerFields } from '@retryproof/http/node'
import { Observable } from 'rxjs'
import { type FastifyInstance, hookFastify } from './fastify.ts'
import type { Platform } from './platform.ts'
import { platformOf } from './platform-of.ts'
import { routeOf } from './route.ts'
import { serve } from './serve.ts'

const reflector = new Reflector()

export function guardingInterceptor<Native extends object, Tx>(
  guard: Guard<Native, Tx>,
  host: HttpAdapterHost,
  config: ApplicationConfig,
): NestInterceptor & OnModuleInit {
  return {
    onModuleInit() {
      if (host.httpAdapter?.getType() === 'fastify') hookFastify(host.httpAdapter.getInstance<FastifyInstance>())
    },

    intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
      if (context.getType() !== 'http') return next.handle()
      const http = context.switchToHttp()
      const platform = platformOf(http.getRequest<object>(), http.getResponse<object>())
      if (!guard.covers(platform.native.method)) return next.handle()
      const route = routeOf(context, platform.pattern, config.getVersioning())
      const isEvents = reflector.get<boolean | undefined>(SSE_METADATA, context.getHandler()) === true
      return new Observable((subscriber) => {
        void serve({ guard, exchange: toExchange<Native>(platform, route), platform, next, subscriber, isEvents })
      })
    },
  }
}

function toExchange<Native>({ native, req, res, target }: Platform, route: string): Exchange<Native> {
  return {
    method: native.method,
    target,
    headers: headerFields(req.rawHeaders),
    ...givenBody(req, { parsed: native.body, raw: native.rawBody, files: [native.file, native.files] }),
    route,
    get signal() {
      const controller = new AbortController()
      res.once('close', () => controller.abort())
      return controller.signal
    },
    native: native as Native,
  }
}
