/** Routes that are safe to retry. */
import { type NestInterceptor, type Type, UseInterceptors } from '@nestjs/common'
import { ApplicationConfig, HttpAdapterHost } from '@nestjs/core'
import { createGuard, type Guarding, type HttpOptions } from '@retryproof/http'
import { guardingInterceptor } from './guarding-interceptor.ts'
import { type IdempotencyModuleOptions, MODULE_OPTIONS_TOKEN } from './module.ts'
import { injected } from './request/injected.ts'
import type { NestRequest } from './request/nest-request.ts'

/**
 * Makes a handler, or all of a controller, safe to retry: `@Post() @Idempotent() create() { … }`, with the options of
 * `IdempotencyModule` and these in their place.
 *
 * Guards come before it, so that `scope` can rely on whom they found.
 *
 * @example
 * import { Controller, Post } from '@nestjs/common'
 * import { Idempotent } from '@retryproof/nestjs'
 *
 * @Controller('charges')
 * export class ChargesController {
 *   @Post()
 *   @Idempotent({ operation: 'charge' })
 *   create() {
 *     return { charged: true }
 *   }
 * }
 *
 * @throws IdempotencyInvalidOptionError when the application starts, naming the option and what it must be
 */
export function Idempotent<Native extends object = NestRequest>(
  options: Partial<HttpOptions<Native>> = {},
): MethodDecorator & ClassDecorator {
  return UseInterceptors(
    injected<[IdempotencyModuleOptions<Native>, HttpAdapterHost, ApplicationConfig]>(
      [MODULE_OPTIONS_TOKEN, HttpAdapterHost, ApplicationConfig],
      (self, { idempotency, ...defaults }, host, config) =>
        guardingInterceptor(createGuard(idempotency, { ...defaults, ...options }, HANDLERS), host, config, self),
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
 */
export function idempotent<Tx, Native extends object = NestRequest>(
  idempotency: Guarding<Tx>,
  options: HttpOptions<Native>,
): Type<NestInterceptor> {
  return injected<[HttpAdapterHost, ApplicationConfig]>([HttpAdapterHost, ApplicationConfig], (self, host, config) =>
    guardingInterceptor(createGuard(idempotency, options, HANDLERS), host, config, self),
  )
}

/** A handler asks for its transaction by `@Transaction()`, which fails where there is none. */
const HANDLERS = { hasHandler: true, asksForTransaction: true }
