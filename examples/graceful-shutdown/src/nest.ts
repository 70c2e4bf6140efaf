/** NestJS: `beforeApplicationShutdown` drains while the server still listens, `onApplicationShutdown` ends the pool after it. */
import 'reflect-metadata'
import { type BeforeApplicationShutdown, Controller, Module, type OnApplicationShutdown, Post } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import { IdempotencyModule, UseIdempotency } from '@retryproof/nestjs'
import { charge, drain, endPool, idempotency } from './payments.ts'

@Controller('payments')
class PaymentsController {
  @Post()
  @UseIdempotency()
  pay() {
    return charge()
  }
}

@Module({
  imports: [IdempotencyModule.forRoot({ idempotency, scope: () => 'ann' })],
  controllers: [PaymentsController],
})
class AppModule implements BeforeApplicationShutdown, OnApplicationShutdown {
  async beforeApplicationShutdown(): Promise<void> {
    await drain()
  }

  async onApplicationShutdown(): Promise<void> {
    await endPool()
  }
}

const app = await NestFactory.create(AppModule, { rawBody: true, logger: ['error', 'warn'] })
app.enableShutdownHooks()
await app.listen(Number(process.env.PORT ?? 3000), '127.0.0.1')
console.log(`listening at ${await app.getUrl()}`)
