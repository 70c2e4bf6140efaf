// In an application of `nest new`, under its own Jest: the module, a guarded route, and a retry.
import { Controller, Module, Post } from '@nestjs/common'
import { Test } from '@nestjs/testing'
import { createIdempotency } from '@retryproof/core'
import { memoryStore } from '@retryproof/memory'
import { IdempotencyModule, UseIdempotency } from '@retryproof/nestjs'

let charges = 0

@Controller('charges')
class ChargesController {
  @Post()
  @UseIdempotency()
  create() {
    return { charge: ++charges }
  }
}

@Module({
  imports: [
    IdempotencyModule.forRoot({
      idempotency: createIdempotency({ store: memoryStore(), namespace: 'nest' }),
      scope: () => 'ann',
    }),
  ],
  controllers: [ChargesController],
})
class AppModule {}

it('answers a retry from the record', async () => {
  const module = await Test.createTestingModule({ imports: [AppModule] }).compile()
  const app = module.createNestApplication()
  await app.listen(0)
  const post = async () =>
    fetch(`${await app.getUrl()}/charges`, {
      method: 'POST',
      headers: { 'Idempotency-Key': 'k', 'Content-Type': 'application/json' },
      body: '{}',
    })
  const [first, second] = [await post(), await post()]
  expect(await first.json()).toEqual({ charge: 1 })
  expect(await second.json()).toEqual({ charge: 1 })
  expect(second.headers.get('idempotency-replayed')).toBe('true')
  await app.close()
})
