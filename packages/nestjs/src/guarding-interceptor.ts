/** The interceptor that stands for a guard of `@retryproof/http`. */
import type { CallHandler, ExecutionContext, NestInterceptor, OnModuleInit, Type } from '@nestjs/common'
import { SSE_METADATA } from '@nestjs/common/constants.js'
import { type ApplicationConfig, type HttpAdapterHost, Reflector } from '@nestjs/core'
import { IdempotencyInvalidOptionError } from '@retryproof/core'
import type { Exchange, Guard } from '@retryproof/http'
import { closeSignal, givenBody, headerFields } from '@retryproof/http/node'
import { Observable } from 'rxjs'
import { type FastifyInstance, hookFastify } from './platform/fastify.ts'
import type { Platform } from './platform/platform.ts'
import { platformOf } from './platform/platform-of.ts'
import { isNearest, standsOn } from './request/nearest.ts'
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
      if (context.getType<string>() !== 'http') {
        if (standsOn(context, self)) throw unguardable(context)
        return next.handle()
      }
      const http = context.switchToHttp()
      const platform = platformOf(http.getRequest<object>(), http.getResponse<object>())
      if (!isNearest(context, platform.native.method, self)) return next.handle()
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
    headers: headerFields(req),
    ...givenBody(req, { parsed: native.body, raw: native.rawBody, files: [native.file, native.files] }),
    route,
    signal: () => closeSignal(res),
    native: native as Native,
  }
}

/** Makes the error of a handler that no HTTP request calls: to run it unguarded would break a promise without a word. */
function unguardable(context: ExecutionContext): IdempotencyInvalidOptionError {
  const handler = `${context.getClass().name}.${context.getHandler().name}`
  return new IdempotencyInvalidOptionError(
    'UseIdempotency',
    `guards handlers of HTTP requests only, and ${handler} is called by ${context.getType<string>()}. Run its work by idempotency.run({ … }) or, for a message, by @retryproof/messaging`,
  )
}
