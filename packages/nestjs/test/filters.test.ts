/** Exception filters: refusals reach them where `problem` throws. */
import 'reflect-metadata'
import { type ArgumentsHost, Catch, Controller, type ExceptionFilter, HttpException, Post } from '@nestjs/common'
import { APP_FILTER, HttpAdapterHost } from '@nestjs/core'
import { preconditionFailed } from '@retryproof/http/precondition'
import { describe, expect, it } from 'vitest'
import { UseIdempotency } from '../src/index.ts'
import { json, nestApp, platforms } from './nest-app.ts'

@Catch(HttpException)
class Shape implements ExceptionFilter<HttpException> {
  private readonly host: HttpAdapterHost
  constructor(host: HttpAdapterHost) {
    this.host = host
  }
  catch(error: HttpException, context: ArgumentsHost) {
    const { httpAdapter } = this.host
    httpAdapter.reply(context.switchToHttp().getResponse(), { shaped: error.message }, error.getStatus())
  }
}
Reflect.defineMetadata('design:paramtypes', [HttpAdapterHost], Shape)

describe.each(platforms)('on %s', (platform) => {
  it('filters answer the refusals of a guard, and of a handler that is not guarded', async () => {
    @Controller('charges')
    class Charges {
      @Post()
      @UseIdempotency({ required: false })
      create() {
        throw preconditionFailed()
      }
      @Post('guarded')
      @UseIdempotency()
      guarded() {
        return { charged: true }
      }
    }
    const { post } = await nestApp(platform, [Charges], {
      providers: [{ provide: APP_FILTER, useClass: Shape }],
      problem({ title, status }) {
        throw new HttpException(title, status)
      },
    })
    const told: unknown[] = []
    for (const [path, init] of [
      ['/charges/guarded', { key: null }],
      ['/charges/guarded', json({ amount: 1 })],
      ['/charges/guarded', json({ amount: 2 })],
      ['/charges', { key: 'k2' }],
      ['/charges', { key: null }],
    ] as const) {
      const answer = await post(path, init)
      told.push([answer.status, Object.keys((await answer.json()) as object)])
    }
    const shaped = ['shaped']
    expect(told).toEqual([
      [400, shaped],
      [201, ['charged']],
      [422, shaped],
      [412, shaped],
      [412, shaped],
    ])
  })
})
