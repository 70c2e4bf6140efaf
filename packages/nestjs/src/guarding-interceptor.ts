/** The interceptor that stands for a guard of `@retryproof/http`. */
import {
  type CallHandler,
  type ExecutionContext,
  type NestInterceptor,
  type OnModuleInit,
  RequestMethod,
  type Type,
} from '@nestjs/common'
import { INTERCEPTORS_METADATA, METHOD_METADATA, SSE_METADATA } from '@nestjs/common/constants.js'
import { type ApplicationConfig, type HttpAdapterHost, Reflector } from '@nestjs/core'
import type { Exchange, Guard } from '@retryproof/http'
import { givenBody, headerFields } from '@retryproof/http/node'
import { Observable } from 'rxjs'
import { type FastifyInstance, hookFastify } from './platform/fastify.ts'
import type { Platform } from './platform/platform.ts'
import { platformOf } from './platform/platform-of.ts'
import { routeOf } from './request/route.ts'
import { serve } from './serve.ts'

const reflector = new Reflector()

export function guardingInterceptor<Native extends object, Tx>(
  guard: Guard<Native, Tx>,
  host: HttpAdapterHost,
  config: ApplicationConfig,
  self: Type<NestInterceptor>,
): NestInterceptor & OnModuleInit {
  return {
    onModuleInit() {
      if (host.httpAdapter?.getType() === 'fastify') hookFastify(host.httpAdapter.getInstance<FastifyInstance>())
    },

    intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
      if (context.getType() !== 'http') return next.handle()
      const http = context.switchToHttp()
      const platform = platformOf(http.getRequest<object>(), http.getResponse<object>())
      const { method } = platform.native
      if (!guard.covers(method, isOfHandler(context, self) ? method : undefined)) return next.handle()
      const route = routeOf(context, platform.pattern, config.getVersioning())
      const isEvents = reflector.get<boolean | undefined>(SSE_METADATA, context.getHandler()) === true
      return new Observable((subscriber) => {
        void serve({ guard, exchange: toExchange<Native>(platform, route), platform, next, subscriber, isEvents })
      })
    },
  }
}

/** True for an interceptor of one handler of one method, rather than of a controller or an application. */
function isOfHandler(context: ExecutionContext, self: Type<NestInterceptor>): boolean {
  const handler = context.getHandler()
  const isForAll = reflector.get<RequestMethod>(METHOD_METADATA, handler) === RequestMethod.ALL
  return !isForAll && (reflector.get<unknown[] | undefined>(INTERCEPTORS_METADATA, handler)?.includes(self) ?? false)
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
