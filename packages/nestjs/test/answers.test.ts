/** Answers of Nest handlers, of every kind. */
import { Readable } from 'node:stream'
import {
  Controller,
  Header,
  HttpCode,
  HttpException,
  type MessageEvent,
  Post,
  Redirect,
  RequestMethod,
  Res,
  Sse,
  StreamableFile,
} from '@nestjs/common'
import { METHOD_METADATA } from '@nestjs/common/constants.js'
import { preconditionFailed } from '@retryproof/http/precondition'
import { Observable, of, type Subscriber } from 'rxjs'
import { describe, expect, it } from 'vitest'
import { UseIdempotency } from '../src/index.ts'
import { nestApp, platforms, seen } from './nest-app.ts'

const unguarded: ClassDecorator = () => undefined

/** The same handlers, guarded and not. */
function answersAt(path: string, guard: ClassDecorator) {
  @Controller(path)
  @guard
  class Answers {
    @Post('object')
    object() {
      return { id: 1, name: 'Zoë' }
    }
    @Post('text')
    text() {
      return 'Zoë'
    }
    @Post('number')
    number() {
      return 42
    }
    @Post('promise')
    async promise() {
      return [1, 2]
    }
    @Post('observable')
    observable() {
      return of({ id: 1 }, { id: 2 })
    }
    @Post('nothing')
    nothing() {}
    @Post('null')
    null() {
      return null
    }
    @Post('no-content')
    @HttpCode(204)
    noContent() {}
    @Post('file')
    @Header('Content-Disposition', 'attachment')
    file() {
      return new StreamableFile(Readable.from([Buffer.from([0, 255]), Buffer.from([1])]), { type: 'image/x-test' })
    }
    @Post('typed')
    @Header('Content-Type', 'text/csv')
    typed() {
      return 'a,b'
    }
    @Post('redirect')
    @Redirect('/charges/1', 303)
    redirect() {}
    @Post('refusal')
    refusal() {
      throw new HttpException({ error: 'no funds' }, 402)
    }
    @Post('passthrough')
    passthrough(
      @Res({ passthrough: true }) response: { status(code: number): void; header(name: string, value: string[]): void },
    ) {
      response.status(202)
      response.header('Link', ['</a>; rel="a"', '</b>; rel="b"'])
      return { id: 1 }
    }
    @Post('res')
    res(@Res() response: { status(code: number): { send(body: string): void } }) {
      response.status(202).send('by itself')
    }
  }
  return Answers
}

const paths = Object.getOwnPropertyNames(answersAt('', unguarded).prototype)
  .filter((name) => name !== 'constructor')
  .map((name) => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`))

describe.each(platforms)('an answer of Nest on %s', (platform) => {
  it.each(paths)('is what it is without a guard, first and again: %s', async (path) => {
    const controllers = [answersAt('bare', unguarded), answersAt('guarded', UseIdempotency())]
    const { post } = await nestApp(platform, controllers)
    const bare = await seen(await post(`/bare/${path}`))
    expect(await seen(await post(`/guarded/${path}`))).toEqual(bare)
    expect(await seen(await post(`/guarded/${path}`))).toEqual({ ...bare, replayed: 'true' })
  })

  it('NA 6: of a handler that takes the response to itself has its body on a replay', async () => {
    const { post } = await nestApp(platform, [answersAt('charges', UseIdempotency())])
    for (let sent = 0; sent < 2; sent++) expect(await (await post('/charges/res')).text()).toBe('by itself')
  })

  it('NA 7: while the first is running is a problem with Retry-After, for the quoted key and the bare one', async () => {
    let open = () => {}
    const gate = new Promise<void>((resolve) => {
      open = resolve
    })
    let begun = () => {}
    const running = new Promise<void>((resolve) => {
      begun = resolve
    })
    @Controller()
    class Charges {
      @Post('charges')
      @UseIdempotency()
      async create() {
        begun()
        await gate
        return { id: 1 }
      }
    }
    const { post } = await nestApp(platform, [Charges])
    const first = post('/charges')
    await running
    for (const key of ['k1', '"k1"']) {
      const refused = await post('/charges', { key })
      expect([refused.status, refused.headers.get('content-type')]).toEqual([409, 'application/problem+json'])
      expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
      expect(refused.headers.get('link')).toContain('rel="describedby"')
    }
    open()
    expect((await first).status).toBe(201)
  })

  it('is what a failed precondition says', async () => {
    @Controller()
    class Charges {
      @Post('charges')
      @UseIdempotency()
      create() {
        throw preconditionFailed()
      }
    }
    const { post } = await nestApp(platform, [Charges])
    const answer = await post('/charges')
    expect([answer.status, answer.headers.get('content-type')]).toEqual([412, 'application/problem+json'])
  })

  it('may be server-sent events: they come while the handler gives them, and are not run again', async () => {
    let events: Subscriber<MessageEvent> | undefined
    let runs = 0
    @Controller()
    class Events {
      @Sse('events', { [METHOD_METADATA]: RequestMethod.POST })
      @UseIdempotency()
      events(): Observable<MessageEvent> {
        runs++
        return new Observable((subscriber) => {
          events = subscriber
          subscriber.next({ data: 'first' })
        })
      }
    }
    const { post } = await nestApp(platform, [Events])
    const { body, headers } = await post('/events')
    expect(headers.get('content-type')).toContain('text/event-stream')
    const reader = body?.pipeThrough(new TextDecoderStream()).getReader()
    let text = ''
    while (!text.includes('first')) text += (await reader?.read())?.value ?? ''
    events?.next({ data: 'last' })
    events?.complete()
    for (let part = await reader?.read(); part && !part.done; part = await reader?.read()) text += part.value
    expect(text).toContain('data: last')
    const again = await post('/events')
    expect([again.status, again.headers.get('content-type'), runs]).toEqual([410, 'application/problem+json', 1])
  })

  it('counts as given where Nest gives none, since the client of an Observable has left', async () => {
    let runs = 0
    let begun = () => {}
    const running = new Promise<void>((resolve) => {
      begun = resolve
    })
    @Controller()
    class Charges {
      @Post('charges')
      @UseIdempotency({ onInProgress: { wait: '20s' } })
      create(@Res({ passthrough: true }) response: { raw?: { req: Readable }; req: Readable & { socket: Readable } }) {
        runs++
        const { socket } = (response.raw?.req ?? response.req) as Readable & { socket: Readable }
        return new Observable((subscriber) => {
          begun()
          socket.once('close', () => {
            setImmediate(() => {
              subscriber.next({ id: 1 })
              subscriber.complete()
            })
          })
        })
      }
    }
    const { post } = await nestApp(platform, [Charges])
    const leave = new AbortController()
    const first = post('/charges', { signal: leave.signal })
    await running
    leave.abort()
    await expect(first).rejects.toThrow()
    expect([(await post('/charges')).status, runs]).toEqual([410, 1])
  })
})
