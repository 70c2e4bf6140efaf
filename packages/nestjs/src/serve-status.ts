/** Serving the answers of operations that were answered with 202. */
import { type NestInterceptor, type Type, UseInterceptors } from '@nestjs/common'
import { IdempotencyInvalidOptionError } from '@retryproof/core'
import type { StatusResource } from '@retryproof/http'
import { Observable } from 'rxjs'
import { type IdempotencyModuleOptions, MODULE_OPTIONS_TOKEN } from './module.ts'
import { platformOf } from './platform/platform-of.ts'
import { injected } from './request/injected.ts'
import type { NestRequest } from './request/nest-request.ts'
import { sendAndTell } from './tell-nest.ts'

/**
 * `@Get('operations/:id') @UseStatusResource() status() {}` answers with the `statusResource` of `IdempotencyModule`, behind the
 * guards of the operations themselves. The method is not run. (On Fastify the path is `operations/*`: parameters of more
 * than 100 characters are refused, but for a wildcard.)
 *
 * @example
 * import { Controller, Get } from '@nestjs/common'
 * import { UseStatusResource } from '@retryproof/nestjs'
 *
 * @Controller('operations')
 * export class OperationsController {
 *   @Get(':id')
 *   @UseStatusResource()
 *   status() {}
 * }
 */
export function UseStatusResource(): MethodDecorator {
  return UseInterceptors(
    injected<[IdempotencyModuleOptions<never>]>([MODULE_OPTIONS_TOKEN], (_self, { statusResource }) => {
      if (statusResource) return statusInterceptor(statusResource)
      throw new IdempotencyInvalidOptionError(
        'statusResource',
        'is needed by @UseStatusResource(): IdempotencyModule.forRoot({ … })',
      )
    }),
  )
}

/**
 * The same as an interceptor, and without the module: `@UseInterceptors(serveStatus(status))`.
 *
 * @example
 * import { Controller, Get, UseInterceptors } from '@nestjs/common'
 * import { unscoped } from '@retryproof/core'
 * import { statusResource } from '@retryproof/http/status'
 * import { serveStatus } from '@retryproof/nestjs'
 *
 * const status = statusResource<object>(idempotency, { path: '/operations', scope: unscoped, secret })
 *
 * @Controller('operations')
 * export class OperationsController {
 *   @Get(':id')
 *   @UseInterceptors(serveStatus(status))
 *   status() {}
 * }
 */
export function serveStatus<Native extends object = NestRequest>(
  status: StatusResource<Native>,
): Type<NestInterceptor> {
  return injected([], () => statusInterceptor(status))
}

function statusInterceptor<Native>(status: StatusResource<Native>): NestInterceptor {
  return {
    intercept(context) {
      const http = context.switchToHttp()
      const platform = platformOf(http.getRequest<object>(), http.getResponse<object>())
      const [path = ''] = platform.target.split('?', 1)
      const id = path.slice(path.lastIndexOf('/') + 1)
      return new Observable((subscriber) => {
        status.answer(id, platform.native as Native).then(
          (response) => sendAndTell(subscriber, platform, response),
          (error: unknown) => subscriber.error(error),
        )
      })
    },
  }
}
