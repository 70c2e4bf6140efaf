/** Options that the routes of an application share. */
import {
  type ConfigurableModuleAsyncOptions,
  ConfigurableModuleBuilder,
  type DynamicModule,
  Global,
  Module,
} from '@nestjs/common'
import type { Guarding, HttpOptions } from '@retryproof/http'
import type { NestRequest } from './request/nest-request.ts'

export interface IdempotencyModuleOptions<Native = NestRequest, Tx = unknown> extends HttpOptions<Native> {
  /** The instance that `createIdempotency` returns. Its store is yours: close it when the application shuts down. */
  readonly idempotency: Guarding<Tx>
}

const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN } = new ConfigurableModuleBuilder<
  IdempotencyModuleOptions<never>
>({ moduleName: 'Idempotency' })
  .setClassMethodName('forRoot')
  .build()

export { MODULE_OPTIONS_TOKEN }

/** The injection token of the instance: `constructor(@Inject(IDEMPOTENCY) idempotency: Idempotency)`. */
export const IDEMPOTENCY = Symbol('retryproof.idempotency')

interface ConfigurableModule {
  new (): object
  forRoot<Native extends object = NestRequest, Tx = unknown>(
    options: IdempotencyModuleOptions<Native, Tx>,
  ): DynamicModule
  forRootAsync<Native extends object = NestRequest, Tx = unknown>(
    options: ConfigurableModuleAsyncOptions<IdempotencyModuleOptions<Native, Tx>>,
  ): DynamicModule
}

/**
 * `IdempotencyModule.forRoot({ idempotency, scope })`, or `forRootAsync({ inject, useFactory })`. Any other option is the
 * default of all routes that are `@UseIdempotency()`.
 *
 * @example
 * import { Module } from '@nestjs/common'
 * import { IdempotencyModule } from '@retryproof/nestjs'
 *
 * @Module({
 *   imports: [IdempotencyModule.forRoot({ idempotency, scope: (request) => String(request.headers['x-user']) })],
 * })
 * export class AppModule {}
 */
export class IdempotencyModule extends (ConfigurableModuleClass as unknown as ConfigurableModule) {}

Global()(IdempotencyModule)
Module({
  providers: [
    {
      provide: IDEMPOTENCY,
      inject: [MODULE_OPTIONS_TOKEN],
      useFactory: ({ idempotency }: IdempotencyModuleOptions) => idempotency,
    },
  ],
  exports: [IDEMPOTENCY, MODULE_OPTIONS_TOKEN],
})(IdempotencyModule)
