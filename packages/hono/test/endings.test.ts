/** Every way in which a handler of Hono ends: behind the guard as without it, and never recorded as a success. */
import { Hono } from 'hono'
import { HTTPException } from 'hono/http-exception'
import { describe, expect, it } from 'vitest'
import { setUp } from './set-up.ts'

const routes = ['/guarded', '/given'] as const

describe('a throw', () => {
  const errors: [string, () => unknown][] = [
    ['an error', () => new Error('declined')],
    ['an exception of Hono', () => new HTTPException(402, { message: 'declined' })],
    ['an exception with a response', () => new HTTPException(409, { res: new Response('taken', { status: 409 }) })],
    ['an exception that says 200', () => new HTTPException(200 as 400, { message: 'declined' })],
    ['a response', () => new Response('thrown')],
    ['an object', () => ({ statusCode: 402, message: 'declined' })],
    ['a text', () => 'declined'],
    ['a number', () => 0],
    ['null', () => null],
    ['undefined', () => undefined],
    ['false', () => false],
    ['a symbol', () => Symbol.for('declined')],
  ]
  const handlers = {
    'no error handler': undefined,
    'one that answers 500': (app: Hono) => app.onError((_error, c) => c.text('failed', 500)),
    'one that answers 200': (app: Hono) => app.onError((_error, c) => c.json({ error: 'declined' }, 200)),
    'one that throws': (app: Hono) =>
      app.onError((error) => {
        throw error
      }),
  }
  for (const [name, configure] of Object.entries(handlers)) {
    it.each(errors)(`is what it is without a guard, and no success, with ${name}: %s`, async (_, error) => {
      for (const route of routes) {
        const { both, ask, events, runs } = setUp(configure)
        both(() => {
          throw error()
        })
        const outcome = async (path: string) => ask(path).catch((thrown: unknown) => ({ thrown: String(thrown) }))
        const bare = await outcome('/bare')
        const first = await outcome(route)
        expect(first).toEqual(bare)
        const isRecorded = 'status' in first && first.status >= 400 && first.status < 500
        if (isRecorded && route === '/guarded') continue
        expect([await outcome(route), runs()]).toEqual([bare, 3])
        expect(events).toEqual(['released', 'released'])
      }
    })
  }

  it('in a sub-application with an error handler of its own', async () => {
    const { app, guard, ask, events } = setUp()
    const inner = new Hono()
    inner.onError((_error, c) => c.text('handled', 200))
    inner.post('/x', guard(), () => {
      throw new Error('declined')
    })
    app.route('/inner', inner)
    expect(await ask('/inner/x')).toMatchObject({ status: 200, body: 'handled' })
    expect(events).toEqual(['released'])
  })
})

describe('a handler without an answer', () => {
  it.each(routes)('is the 404 of Hono, and never recorded: %s', async (route) => {
    const { both, ask, events } = setUp((app) => app.notFound((c) => c.text('nothing here', 404)))
    both(async () => {})
    const bare = await ask('/bare')
    expect(bare).toMatchObject({ status: 404, body: 'nothing here' })
    expect([await ask(route), await ask(route)]).toEqual([bare, bare])
    expect(events).toEqual(['released', 'released'])
  })

  it('is what Hono makes of it behind other middleware', async () => {
    const { both, ask, events } = setUp((app) => {
      app.use(async (_c, next) => {
        await next()
      })
      app.onError((error, c) => c.text(error.message, 500))
    })
    both(async () => {})
    const bare = await ask('/bare')
    expect(bare.status).toBe(500)
    expect([await ask('/guarded'), await ask('/guarded')]).toEqual([bare, bare])
    expect(events).toEqual(['released', 'released'])
  })

  it('is what the handler after it answers', async () => {
    const { app, guard, ask } = setUp()
    app.post(
      '/x',
      guard(),
      async (_c, next) => {
        await next()
      },
      (c) => c.text('answered'),
    )
    expect(await ask('/x')).toMatchObject({ status: 200, body: 'answered', replayed: false })
    expect(await ask('/x')).toMatchObject({ status: 200, body: 'answered', replayed: true })
  })
})

describe('a stream that fails', () => {
  const failing = (after: number) => {
    let pulled = 0
    return new ReadableStream<Uint8Array>({
      pull(controller) {
        if (pulled++ < after) controller.enqueue(new Uint8Array(700_000))
        else controller.error(new Error('lost'))
      },
    })
  }

  it.each([0, 1, 3])('releases the key at once, after %i pieces', async (after) => {
    const { app, guard, post, events } = setUp((application) =>
      application.onError((error, c) => c.text(error.message, 500)),
    )
    app.post('/x', guard(), () => new Response(failing(after)))
    for (let n = 0; n < 2; n++) {
      const response = await post('/x')
      await response.arrayBuffer().catch(() => undefined)
      expect(response.status).toBe(after === 3 ? 200 : 500)
    }
    expect(events).toEqual(['released', 'released'])
  })

  it('is Response.error() too', async () => {
    const { both, post, events } = setUp()
    both(() => Response.error())
    expect((await post('/guarded')).status).toBe((await post('/bare')).status)
    expect(events).toEqual(['released'])
  })
})

describe('a response that cannot be made again', () => {
  it('is one that was written past Hono: it goes as it is, and is not replayed', async () => {
    const { RESPONSE_ALREADY_SENT } = await import('@hono/node-server/utils/response')
    const { both, post } = setUp()
    both(() => RESPONSE_ALREADY_SENT)
    expect((await post('/guarded')).headers.get('x-hono-already-sent')).toBe('true')
    expect((await post('/guarded')).status).toBe(410)
  })
})

describe('a response of this status', () => {
  it.each([200, 201, 204, 205, 206, 301, 304, 404])('%i is what it is without a guard, and again', async (status) => {
    const { both, ask } = setUp()
    const hasBody = ![204, 205, 304].includes(status)
    both(() => new Response(hasBody ? 'body' : null, { status, headers: { 'X-Own': 'a', Location: '/x' } }))
    const bare = await ask('/bare')
    expect(await ask('/guarded')).toEqual(bare)
    expect(await ask('/guarded')).toEqual({ ...bare, replayed: true })
  })

  it('HEAD has no body', async () => {
    const { app, guard } = setUp()
    let runs = 0
    const endless = new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(1)) })
    app.get('/x', guard({ methods: ['HEAD'] }), () => {
      runs++
      return new Response(endless, { headers: { 'X-Own': 'a' } })
    })
    const head = () => app.request('/x', { method: 'HEAD', headers: { 'Idempotency-Key': 'k' } })
    expect((await head()).headers.get('x-own')).toBe('a')
    const again = await head()
    expect([again.headers.get('x-own'), again.headers.get('idempotency-replayed'), runs]).toEqual(['a', 'true', 1])
  })
})
