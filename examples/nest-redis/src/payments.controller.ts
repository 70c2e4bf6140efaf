import { Body, Controller, Get, HttpException, Inject, Post, UseGuards } from '@nestjs/common'
import type { HandlerAttempt } from '@retryproof/http'
import { Attempt, UseIdempotency } from '@retryproof/nestjs'
import { Redis } from 'ioredis'
import { UserGuard } from './user.guard.ts'

@Controller('payments')
@UseGuards(UserGuard)
export class PaymentsController {
  private readonly redis: Redis

  constructor(@Inject(Redis) redis: Redis) {
    this.redis = redis
  }

  @Post()
  @UseIdempotency()
  async pay(@Body() { amount }: { amount: number }, @Attempt() attempt: HandlerAttempt) {
    if (amount > 1000) throw new HttpException({ error: 'no funds' }, 402)
    // a real one is charged here, with the key of the attempt, so that the provider too knows a payment that is sent again
    const payment = await this.redis.incr('nest-redis:payments')
    return { payment, amount, process: process.pid, providerKey: attempt.keyFor('charge') }
  }

  @Get('count')
  async count() {
    return { payments: Number(await this.redis.get('nest-redis:payments')) }
  }
}
