import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { IdempotencyInvalidOptionError } from '@retryproof/core'
import type { ErrorRequestHandler, RequestHandler, Router } from 'express'
import vhost from 'vhost'
import { describe, expect, it } from 'vitest'
import { deferred, testApp, versions } from './app.ts'

/** Tells which configuration error a request met. */
const tellError: ErrorRequestHandler = (error, _req, res, _next) => {
  const option = error instanceof IdempotencyInvalidOptionError ? error.option : String(error)
  res.status(500).json({ option, message: (error as Error).message })
}

describe.each(versions)('the operation on %s', (_, express) => {
  function operations() {
    const set = testApp(express)
    const names: string[] = []
    set.idempotency.on('completed', ({ operation }) => names.push(operation))
    return { ...set, names }
  }

  it('is the method and the full pattern of the route', async () => {
    const { app, guard, post, names } = operations()
    const inner = express.Router()
    const outer = express.Router()
    inner.post('/:id/refunds', guard(), (_req, res) => res.sendStatus(201))
    outer.use('/orders', inner)
    app.use('/v1', outer)
    app.post(['/a', '/b'], guard(), (_req, res) => res.sendStatus(201))
    app.post(/^\/c\d$/, guard(), (_req, res) => res.sendStatus(201))
    await post('/v1/orders/7/refunds')
    await post('/a')
    await post('/c1')
    expect(names).toEqual(['POST /v1/orders/:id/refunds', 'POST /a|/b', String.raw`POST /^\/c\d$/`])
  })

  it('does not mistake one mounted router for another', async () => {
    const { app, guard, post } = operations()
    const routes = (name: string): Router => {
      const router = express.Router()
      router.post('/', guard(), (_req, res) => res.json(name))
      return router
    }
    app.use('/payments', routes('payments'))
    app.use('/refunds', routes('refunds'))
    expect(await (await post('/payments')).json()).toBe('payments')
    expect(await (await post('/refunds')).json()).toBe('refunds')
  })

  it('does not mistake one router for itself, mounted twice', async () => {
    const { app, guard, post, names } = operations()
    const router = express.Router()
    router.post('/charges', guard(), (req, res) => res.json(req.baseUrl))
    app.use('/a', router)
    app.use('/b', router)
    expect([await (await post('/a/charges')).json(), await (await post('/b/charges')).json()]).toEqual(['/a', '/b'])
    expect(names).toEqual(['POST /a/charges', 'POST /b/charges'])
  })

  it('is known in an app that is mounted', async () => {
    const { app, guard, post, names } = operations()
    const inner = express()
    inner.post('/charges', guard(), (_req, res) => res.sendStatus(201))
    app.use('/inner', inner)
    expect((await post('/inner/charges')).status).toBe(201)
    expect(names).toEqual(['POST /inner/charges'])
  })

  it.each<[string, (set: ReturnType<typeof operations>) => unknown]>([
    [
      'before the routes',
      ({ app, guard }) => app.use(guard()).post('/tenants/:id/charges', (_req, res) => res.sendStatus(201)),
    ],
    [
      'under a mount with parameters',
      ({ app, guard }) => {
        const router = express.Router()
        router.post('/charges', guard(), (_req, res) => res.sendStatus(201))
        app.use('/tenants/:id', router)
      },
    ],
    [
      'in an app that is mounted with parameters',
      ({ app, guard }) => {
        const inner = express()
        inner.post('/charges', guard(), (_req, res) => res.sendStatus(201))
        app.use('/tenants/:id', inner)
      },
    ],
    [
      'after a route that fell through',
      ({ app, guard }) => {
        app.post('/tenants/*rest', (_req, _res, next) => next())
        app.post(/.*/, (_req, _res, next) => next())
        app.use(guard(), (_req, res) => res.sendStatus(201))
      },
    ],
  ])('is required %s', async (_place, mount) => {
    const set = operations()
    // Express 4 writes this wildcard in another way
    if (_place.startsWith('after') && express !== versions[0]?.[1]) {
      set.app.post('*', (_req, _res, next) => next())
      set.app.use(set.guard(), (_req, res) => res.sendStatus(201))
    } else mount(set)
    set.app.use(tellError)
    const refused = await set.post('/tenants/7/charges')
    expect([refused.status, await refused.json()]).toEqual([
      500,
      { option: 'operation', message: expect.stringContaining('required') },
    ])
    expect(set.names).toEqual([])
  })

  it('may be named where Express does not know it', async () => {
    const { app, guard, post, names } = operations()
    app.use(guard({ operation: (req) => `charge ${req.get('x-kind')}` }), (_req, res) => res.sendStatus(201))
    await post('/anything', { headers: { 'X-Kind': 'card' } })
    expect(names).toEqual(['charge card'])
  })

  it('covers POST and PATCH, and what methods adds', async () => {
    const { app, guard, url } = operations()
    let runs = 0
    app.all('/a', guard(), (_req, res) => res.json(++runs))
    app.all('/b', guard({ methods: ['DELETE'] }), (_req, res) => res.json(++runs))
    const twice = async (method: string, path: string) => {
      const ask = async () => fetch(await url(path), { method, headers: { 'Idempotency-Key': method } })
      const first: unknown = await (await ask()).json()
      const again: unknown = await (await ask()).json()
      return first === again
    }
    const same: [string, boolean][] = []
    for (const method of ['POST', 'PATCH', 'PUT', 'GET', 'DELETE']) same.push([method, await twice(method, '/a')])
    same.push(['DELETE added', await twice('DELETE', '/b')])
    expect(same).toEqual([
      ['POST', true],
      ['PATCH', true],
      ['PUT', false],
      ['GET', false],
      ['DELETE', false],
      ['DELETE added', true],
    ])
  })

  it.each(['put', 'delete', 'patch', 'get'] as const)(
    'covers %s where it stands in a route for that alone',
    async (method) => {
      const { app, guard, url } = operations()
      let runs = 0
      const tell: RequestHandler = (_req, res) => res.json(++runs)
      app[method]('/own', guard(), tell)
      app.route('/chained')[method](guard(), tell).post(tell)
      app[method]('/given', guard({}, tell as never))
      app.use('/mounted', express.Router()[method]('/own', guard(), tell))
      app.use('/before', guard({ operation: 'x' }))
      app[method]('/before', tell)
      const ask = async (path: string) =>
        (await fetch(await url(path), { method: method.toUpperCase(), headers: { 'Idempotency-Key': 'k' } })).text()
      async function twice(path: string): Promise<boolean> {
        const first = await ask(path)
        return first === (await ask(path))
      }
      expect(await Promise.all(['/own', '/chained', '/given', '/mounted/own'].map((path) => twice(path)))).toEqual(
        Array(4).fill(true),
      )
      expect(await twice('/before')).toBe(method === 'patch')
      expect((await fetch(await url('/own'), { method: method.toUpperCase() })).status).toBe(400)
    },
  )

  it('is told with the virtual host, unless its name has a wildcard', async () => {
    const { app, guard, names, port } = operations()
    const site = () => express().post('/charges', guard(), (_req, res) => res.sendStatus(201)) as never
    app.use(vhost('a.example.com', site()))
    app.use(vhost('b.example.com', site()))
    app.use(vhost('*.example.org', site()))
    app.use(tellError)
    const at = async (host: string) => {
      const headers = { Host: host, 'Idempotency-Key': 'k' }
      const sent = request({ port: await port(), method: 'POST', path: '/charges', headers, agent: false }).end()
      const [answer] = (await once(sent, 'response')) as [IncomingMessage]
      return answer.resume().statusCode
    }
    expect([await at('a.example.com'), await at('B.example.com'), await at('x.example.org')]).toEqual([201, 201, 500])
    expect(names).toEqual(['POST //a.example.com/charges', 'POST //b.example.com/charges'])
  })

  it('keeps two guards with different options apart', async () => {
    const { app, guard, post } = operations()
    app.post('/quoted', guard({ syntax: 'strict' }), (_req, res) => res.sendStatus(201))
    app.post('/scoped', guard({ scope: (req) => req.get('x-user') ?? '' }), (req, res) => res.json(req.get('x-user')))
    const as = async (user: string) => (await post('/scoped', { headers: { 'X-User': user } })).json()
    expect([(await post('/quoted')).status, await as('ann'), await as('bob'), await as('ann')]).toEqual([
      400,
      'ann',
      'bob',
      'ann',
    ])
  })

  it('may stand inside another', async () => {
    const { app, guard, post } = operations()
    let runs = 0
    const outer = guard({ operation: 'outer' })
    app.post('/charges', outer, guard({ operation: 'inner' }), (_req, res) => res.status(201).json(++runs))
    const [first, again] = [await post('/charges'), await post('/charges')]
    expect([first.status, await first.json(), again.status, await again.json(), runs]).toEqual([201, 1, 201, 1, 1])
  })
})

describe.each(versions)('a shutdown on %s', (_, express) => {
  it('answers 503 to new work, goes on replaying, and lets what runs finish', async () => {
    const { app, guard, post, idempotency } = testApp(express)
    const gate = deferred()
    const started = deferred()
    app.post('/charges', guard(), async (req, res) => {
      if (req.get('idempotency-key') === 'slow') {
        started.resolve()
        await gate.promise
      }
      res.sendStatus(201)
    })
    await post('/charges', { key: 'done' })
    const slow = post('/charges', { key: 'slow' })
    await started.promise
    const drained = idempotency.drain()
    const refused = await post('/charges', { key: 'new' })
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '2'])
    expect((await post('/charges', { key: 'done' })).status).toBe(201)
    gate.resolve()
    expect([(await slow).status, await drained]).toEqual([201, { unfinished: 0 }])
  })
})
