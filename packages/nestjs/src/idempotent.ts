/** Routes that are safe to retry. */
import { type NestInterceptor, type Type, UseInterceptors } from '@nestjs/common'
import { ApplicationConfig, HttpAdapterHost } from '@nestjs/core'
import { createGuard, type Guarding, type HttpOptions } from '@retryproof/http'
import { guardingInterceptor } from './guarding-interceptor.ts'
import { type IdempotencyModuleOptions, MODULE_OPTIONS_TOKEN } from './module.ts'
import { injected } from './request/injected.ts'
import { setPlace } from './request/nearest.ts'
import type { NestRequest } from './request/nest-request.ts'

/**
 * Makes a handler, or all of a controller, safe to retry: `@Post() @UseIdempotency() create() { … }`, with the options of
 * `IdempotencyModule` and these in their place.
 *
 * Guards come before it, so that `scope` can rely on whom they found.
 *
 * @example
 * import { Controller, Post } from '@nestjs/common'
 * import { UseIdempotency } from '@retryproof/nestjs'
 *
 * @Controller('charges')
 * export class ChargesController {
 *   @Post()
 *   @UseIdempotency({ operation: 'charge' })
 *   create() {
 *     return { charged: true }
 *   }
 * }
 *
 * @throws IdempotencyInvalidOptionError when the application starts, naming the option and what it must be
 * @throws IdempotencyInvalidOptionError at the first call of a handler that no HTTP request calls, such as a resolver of GraphQL
 */
export function UseIdempotency<Native extends object = NestRequest>(
  options: Partial<HttpOptions<Native>> = {},
): MethodDecorator & ClassDecorator {
  return UseInterceptors(
    injected<[IdempotencyModuleOptions<Native>, HttpAdapterHost, ApplicationConfig]>(
      [MODULE_OPTIONS_TOKEN, HttpAdapterHost, ApplicationConfig],
      (self, { idempotency, ...defaults }, host, config) =>
        interceptorOf(idempotency, { ...defaults, ...options }, { self, host, config }),
    ),
  )
}

/**
 * The same as an interceptor, and without the module: `@UseInterceptors(idempotent(idempotency, { scope }))`.
 *
 * @example
 * import { Controller, Post, UseInterceptors } from '@nestjs/common'
 * import { unscoped } from '@retryproof/core'
 * import { idempotent } from '@retryproof/nestjs'
 *
 * @Controller('charges')
 * export class ChargesController {
 *   @Post()
 *   @UseInterceptors(idempotent(idempotency, { scope: unscoped }))
 *   create() {
 *     return { charged: true }
 *   }
 * }
 *
 * @throws IdempotencyInvalidOptionError when the application starts, naming the option and what it must be
 * @throws IdempotencyInvalidOptionError at the first call of a handler that no HTTP request calls, such as a resolver of GraphQL
 */
export function idempotent<Tx, Native extends object = NestRequest>(
  idempotency: Guarding<Tx>,
  options: HttpOptions<Native>,
): Type<NestInterceptor> {
  return injected<[HttpAdapterHost, ApplicationConfig]>([HttpAdapterHost, ApplicationConfig], (self, host, config) =>
    interceptorOf(idempotency, options, { self, host, config }),
  )
}

interface Made {
  readonly self: Type<NestInterceptor>
  readonly host: HttpAdapterHost
  readonly config: ApplicationConfig
}

function interceptorOf<Tx, Native extends object>(
  idempotency: Guarding<Tx>,
  options: HttpOptions<Native>,
  { self, host, config }: Made,
): NestInterceptor {
  // a handler asks for its transaction by `@Transaction()`, which fails where there is none
  const guard = createGuard(idempotency, options, { hasHandler: true, asksForTransaction: true })
  setPlace(self, { idempotency, operation: options.operation, guard })
  return guardingInterceptor(guard, host, config, self)
}
