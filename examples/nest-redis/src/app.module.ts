import { Module } from '@nestjs/common'
import { createIdempotency } from '@retryproof/core'
import { IdempotencyModule } from '@retryproof/nestjs'
import { redisStore } from '@retryproof/redis'
import { Redis } from 'ioredis'
import { PaymentsController } from './payments.controller.ts'
import { RedisModule } from './redis.module.ts'
import type { Authenticated } from './user.guard.ts'

@Module({
  imports: [
    RedisModule,
    IdempotencyModule.forRootAsync({
      inject: [Redis],
      useFactory: (client: Redis) => ({
        idempotency: createIdempotency({ store: redisStore({ client }), namespace: 'payments' }),
        scope: ({ user }: Authenticated) => user?.id,
        retention: '24h',
        onInProgress: { wait: '5s' },
      }),
    }),
  ],
  controllers: [PaymentsController],
})
export class AppModule {}
