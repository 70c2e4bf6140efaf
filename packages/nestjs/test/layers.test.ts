/** Tests the layers around the guard: guards, pipes, filters, interceptors, prefixes and versions. */
import {
  type ArgumentsHost,
  BadRequestException,
  Body,
  type CallHandler,
  type CanActivate,
  Catch,
  Controller,
  type ExceptionFilter,
  type ExecutionContext,
  Get,
  Header,
  Inject,
  type NestInterceptor,
  type PipeTransform,
  Post,
  Put,
  Req,
  Res,
  UploadedFile,
  UseFilters,
  UseGuards,
  UseInterceptors,
  Version,
  VersioningType,
} from '@nestjs/common'
import { FileInterceptor } from '@nestjs/platform-express'
import { createIdempotency, type Idempotency, IdempotencyInvalidOptionError, unscoped } from '@retryproof/core'
import type { HandlerAttempt } from '@retryproof/http'
import { memoryStore } from '@retryproof/memory'
import { finalize, map, type Observable, tap } from 'rxjs'
import { describe, expect, it } from 'vitest'
import { Attempt, attemptOf, IDEMPOTENCY, idempotent, Transaction, UseIdempotency } from '../src/index.ts'
import { json, nestApp, platforms } from './nest-app.ts'

interface Asked {
  readonly headers: Record<string, string>
  user?: string
}

const asGuard: CanActivate = {
  canActivate(context) {
    const request = context.switchToHttp().getRequest<Asked>()
    const { 'x-user': user = '' } = request.headers
    request.user = user
    return user !== 'revoked'
  },
}

describe.each(platforms)('around a guard of Nest on %s', (platform) => {
  it('guards come before: their user is the scope, and whom they refuse gets no replay', async () => {
    let runs = 0
    @Controller()
    class Charges {
      @Post('charges')
      @UseGuards(asGuard)
      @UseIdempotency<Asked>({ scope: ({ user }) => user ?? '' })
      create() {
        return { runs: ++runs }
      }
    }
    const { post } = await nestApp(platform, [Charges])
    const answers: unknown[] = []
    for (const user of ['ann', 'bob', 'ann', 'revoked']) {
      const answer = await post('/charges', { headers: { 'X-User': user } })
      answers.push([answer.status, ((await answer.json()) as { runs?: number }).runs])
    }
    expect(answers).toEqual([
      [201, 1],
      [201, 2],
      [201, 1],
      [403, undefined],
    ])
  })

  it('the method of a handler is guarded without being named, and on a controller POST and PATCH are', async () => {
    let runs = 0
    @Controller('own')
    class Own {
      @Put()
      @UseIdempotency()
      put() {
        return { runs: ++runs }
      }
      @Get()
      get() {
        return { runs: ++runs }
      }
    }
    @Controller('all')
    @UseIdempotency()
    class All {
      @Put()
      put() {
        return { runs: ++runs }
      }
      @Get()
      get() {
        return { runs: ++runs }
      }
    }
    const { post } = await nestApp(platform, [Own, All])
    const replays: unknown[] = []
    for (const [method, path] of [
      ['PUT', '/own'],
      ['GET', '/own'],
      ['PUT', '/all'],
      ['GET', '/all'],
    ] as const) {
      await post(path, { method })
      replays.push((await post(path, { method })).headers.get('idempotency-replayed'))
    }
    expect([replays, runs]).toEqual([['true', null, null, null], 7])
  })

  it('pipes come after: what they refuse is recorded, or frees the key, as the policy says', async () => {
    let refusals = 0
    const refuse: PipeTransform = {
      transform() {
        throw new BadRequestException(`refusal ${++refusals}`)
      },
    }
    @Controller()
    class Charges {
      @Post('kept')
      @UseIdempotency()
      kept(@Body(refuse) _body: object) {}
      @Post('freed')
      @UseIdempotency({ record: 'success' })
      freed(@Body(refuse) _body: object) {}
    }
    const { post } = await nestApp(platform, [Charges])
    const told: unknown[] = []
    for (const path of ['/kept', '/kept', '/freed', '/freed']) {
      told.push(((await (await post(path, json({}))).json()) as { message: string }).message)
    }
    expect(told).toEqual(['refusal 1', 'refusal 1', 'refusal 2', 'refusal 3'])
  })

  it("NI 10: an exception is what the application's filter makes of it, recorded or released by its status", async () => {
    @Catch()
    class AsRefusal implements ExceptionFilter {
      catch(error: Error, host: ArgumentsHost) {
        const response = host.switchToHttp().getResponse<{ status(code: number): { send(body: unknown): void } }>()
        response.status(Number(error.message)).send({ told: error.message })
      }
    }
    let runs = 0
    @Controller()
    @UseFilters(AsRefusal)
    class Charges {
      @Post('charges')
      @UseIdempotency()
      create() {
        throw new Error(++runs === 1 ? '503' : '402')
      }
    }
    const { post } = await nestApp(platform, [Charges])
    const answers: unknown[] = []
    for (let sent = 0; sent < 3; sent++) {
      const answer = await post('/charges')
      answers.push([answer.status, await answer.json(), answer.headers.get('idempotency-replayed')])
    }
    expect(answers).toEqual([
      [503, { told: '503' }, null],
      [402, { told: '402' }, null],
      [402, { told: '402' }, 'true'],
    ])
    expect(runs).toBe(2)
  })

  it('NI 13: interceptors outside see values, change an answer once, and come to their end for every request', async () => {
    const told: unknown[] = []
    let open = 0
    const outside: NestInterceptor = {
      intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
        open++
        return next.handle().pipe(
          tap({ next: (value) => told.push(value), error: (error: Error) => told.push(error.name) }),
          map((data: unknown) => ({ data })),
          finalize(() => open--),
        )
      },
    }
    @Controller()
    @UseInterceptors(outside)
    class Charges {
      @Post('charges')
      @UseIdempotency()
      create() {
        return { id: 1 }
      }
    }
    const { post } = await nestApp(platform, [Charges])
    const bodies = [await (await post('/charges')).json(), await (await post('/charges')).json()]
    expect(bodies).toEqual([{ data: { id: 1 } }, { data: { id: 1 } }])
    expect((await post('/charges', json({ other: true }))).status).toBe(422)
    await expect.poll(() => open).toBe(0)
    expect(told).toEqual([{ id: 1 }, { data: { id: 1 } }, 'HttpException'])
  })

  it('NI 1: neither a mismatch nor its replay changes what is recorded', async () => {
    @Controller()
    class Charges {
      @Post('charges')
      @UseIdempotency()
      create(@Body() body: object) {
        return body
      }
    }
    const { post } = await nestApp(platform, [Charges])
    const statuses: number[] = []
    for (const amount of [100, 999, 100]) statuses.push((await post('/charges', json({ amount }))).status)
    expect(statuses).toEqual([201, 422, 201])
  })

  it('NI 6: operations have prefixes, versions and hosts, and a query is no other operation', async () => {
    @Controller({ path: 'payments/:tenant', version: '1' })
    class Payments {
      @Post('create')
      @UseIdempotency()
      create() {
        return { made: 'payment' }
      }
    }
    @Controller('refunds')
    class Refunds {
      @Post('create')
      @Version('2')
      @UseIdempotency()
      second() {
        return { made: 'refund', version: 2 }
      }
      @Post('create')
      @Version('1')
      @UseIdempotency()
      first() {
        return { made: 'refund', version: 1 }
      }
    }
    const byPath = await nestApp(platform, [Payments, Refunds], {
      configure: (app) => void app.setGlobalPrefix('api').enableVersioning({ type: VersioningType.URI }),
    })
    for (const path of ['/api/v1/payments/acme/create', '/api/v2/refunds/create']) await byPath.post(path)
    expect((await byPath.post('/api/v2/refunds/create?trace=1')).status).toBe(422)
    expect(byPath.operations).toEqual(['POST /api/v1/payments/:tenant/create', 'POST /api/v2/refunds/create'])

    const byHeader = await nestApp(platform, [Refunds], {
      configure: (app) => void app.enableVersioning({ type: VersioningType.HEADER, header: 'x-version' }),
    })
    const versions: unknown[] = []
    for (const version of ['1', '2', '1']) {
      versions.push(await (await byHeader.post('/refunds/create', { headers: { 'X-Version': version } })).json())
    }
    expect(versions).toMatchObject([{ version: 1 }, { version: 2 }, { version: 1 }])
    expect(byHeader.operations).toEqual(['POST /refunds/create v1', 'POST /refunds/create v2'])
  })

  it('NA 8: headers of the moment are those of the second request, and lists stay lists', async () => {
    let requests = 0
    const stamp: CanActivate = {
      canActivate(context) {
        const response = context.switchToHttp().getResponse<{ header(name: string, value: string): void }>()
        response.header('X-Request-Id', `request ${++requests}`)
        return true
      },
    }
    @Controller()
    class Charges {
      @Post('charges')
      @Header('X-Own', 'kept')
      @UseGuards(stamp)
      @UseIdempotency()
      create(@Res({ passthrough: true }) response: { header(name: string, value: string[]): void }) {
        response.header('Link', ['</a>', '</b>'])
        return {}
      }
    }
    const { post } = await nestApp(platform, [Charges])
    const [first, again] = [await post('/charges'), await post('/charges')]
    for (const name of ['x-own', 'link']) expect(again.headers.get(name)).toBe(first.headers.get(name))
    expect([first, again].map(({ headers }) => headers.get('x-request-id'))).toEqual(['request 1', 'request 2'])
  })

  it('the attempt and the instance are handed to whoever asks for them', async () => {
    @Controller()
    class Charges {
      readonly idempotency: Idempotency
      constructor(@Inject(IDEMPOTENCY) idempotency: Idempotency) {
        this.idempotency = idempotency
      }
      @Post('charges')
      @UseIdempotency()
      create(@Attempt() attempt: HandlerAttempt, @Req() request: object) {
        return { number: attempt.number, same: attemptOf(request) === attempt, run: typeof this.idempotency.run }
      }
    }
    const { post } = await nestApp(platform, [Charges])
    expect(await (await post('/charges')).json()).toEqual({ number: 1, same: true, run: 'function' })
  })

  it('a second instance guards without the module', async () => {
    const other = createIdempotency({ store: memoryStore(), namespace: 'other' })
    let runs = 0
    @Controller()
    class Charges {
      @Post('charges')
      @UseInterceptors(idempotent(other, { scope: unscoped, operation: 'charge' }))
      create() {
        return { runs: ++runs }
      }
    }
    const { post, operations } = await nestApp(platform, [Charges])
    for (let sent = 0; sent < 2; sent++) expect(await (await post('/charges')).json()).toEqual({ runs: 1 })
    expect(operations).toEqual([])
  })

  it('an option that does not fit keeps the application from starting', async () => {
    @Controller()
    class Charges {
      @Post('charges')
      @UseIdempotency({ transaction: true })
      create() {}
    }
    await expect(nestApp(platform, [Charges])).rejects.toThrow(IdempotencyInvalidOptionError)
  })

  it('a handler that wants a transaction where there is none is told so', async () => {
    let failure: unknown
    const note: NestInterceptor = {
      intercept: (_context, next) => next.handle().pipe(tap({ error: (error) => (failure = error) })),
    }
    @Controller()
    class Charges {
      @Post('charges')
      @UseInterceptors(note)
      @UseIdempotency()
      create(@Transaction() _tx: unknown) {}
    }
    const { post } = await nestApp(platform, [Charges])
    expect((await post('/charges')).status).toBe(500)
    expect(failure).toBeInstanceOf(IdempotencyInvalidOptionError)
  })
})

it('a form with a file counts by the fields that are picked, where what parses it stands outside', async () => {
  @Controller()
  class Receipts {
    @Post('receipts')
    @UseInterceptors(FileInterceptor('receipt'))
    @UseIdempotency({ fingerprint: { pick: ['amount'] } })
    create(@UploadedFile() { size }: { size: number }, @Body() { amount }: { amount: string }) {
      return { size, amount }
    }
  }
  const { post } = await nestApp('Express', [Receipts])
  const form = (amount: string) => {
    const body = new FormData()
    body.set('amount', amount)
    body.set('receipt', new Blob(['receipt']), 'receipt.txt')
    return { body }
  }
  const first = await post('/receipts', form('100'))
  expect([first.status, await first.json()]).toEqual([201, { size: 7, amount: '100' }])
  const again = await post('/receipts', form('100'))
  expect([again.headers.get('idempotency-replayed'), await again.json()]).toEqual(['true', { size: 7, amount: '100' }])
  expect((await post('/receipts', form('999'))).status).toBe(422)
})
