import 'reflect-metadata'
import type { Server } from 'node:http'
import {
  Body,
  type CallHandler,
  Controller,
  type ExecutionContext,
  Module,
  type NestInterceptor,
  Post,
  UseInterceptors,
} from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import { Idempotent, NodeIdempotencyModule } from '@node-idempotency/nestjs'
import { MemoryStorageAdapter } from '@node-idempotency/storage-adapter-memory'
import { idempotent } from '@retryproof/nestjs'
import { map, of } from 'rxjs'
import type { App, Variant } from './app.ts'
import { byHand } from './by-hand.ts'
import { answerTo } from './order.ts'

export const app: App = {
  async listen(variant) {
    @Controller('charges')
    class Charges {
      @Post()
      @guardOf(variant)
      create(order: { readonly amount: number }) {
        return answerTo(order)
      }
    }

    // as `@Body()` does it
    Body()(Charges.prototype, 'create', 0)

    @Module({
      imports: [NodeIdempotencyModule.forRootAsync({ storage: { adapter: new MemoryStorageAdapter() } })],
      controllers: [Charges],
    })
    class Root {}

    const nest = await NestFactory.create(Root, { logger: false })
    await nest.listen(0, '127.0.0.1')
    return nest.getHttpServer() as Server
  },
}

function guardOf(variant: Variant): MethodDecorator {
  switch (variant.kind) {
    case 'bare':
      return UseInterceptors()
    case 'floor':
      return UseInterceptors(floor())
    case 'peer':
      return Idempotent()
    case 'ours':
      return UseInterceptors(idempotent(variant.idempotency, { scope: () => 'user_42' }))
  }
}

interface Asked {
  readonly headers: Readonly<Record<string, string>>
  readonly body: unknown
}

function floor(): NestInterceptor {
  const claim = byHand()
  return {
    intercept(context: ExecutionContext, next: CallHandler) {
      const { headers, body } = context.switchToHttp().getRequest<Asked>()
      const { answer, settle } = claim(headers['idempotency-key'], JSON.stringify(body))
      if (answer) return of(JSON.parse(String(answer.body)) as unknown)
      return next.handle().pipe(
        map((value: unknown) => {
          settle({ status: 201, type: 'application/json', body: JSON.stringify(value) })
          return value
        }),
      )
    },
  }
}
