import { Global, Inject, Module, type OnApplicationShutdown } from '@nestjs/common'
import { Redis } from 'ioredis'

/** The connection that the whole application shares. */
@Global()
@Module({
  providers: [
    {
      provide: Redis,
      // a command that was on its way when the connection broke is told to be unknown, and not sent twice
      useFactory: () => new Redis(process.env.REDIS_URL ?? '', { autoResendUnfulfilledCommands: false }),
    },
  ],
  exports: [Redis],
})
export class RedisModule implements OnApplicationShutdown {
  private readonly redis: Redis

  constructor(@Inject(Redis) redis: Redis) {
    this.redis = redis
  }

  onApplicationShutdown(): void {
    this.redis.disconnect()
  }
}
