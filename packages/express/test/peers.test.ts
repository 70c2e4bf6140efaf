/** Defects of other libraries, by the ids under which they are known to us: each is a test that we pass. */
import { PassThrough, Readable } from 'node:stream'
import { createIdempotency, type IdempotencyStore, StoreUnavailableError } from '@retryproof/core'
import { memoryStore } from '@retryproof/memory'
import { describe, expect, it } from 'vitest'
import { attemptOf } from '../src/index.ts'
import { deferred, json, testApp, versions } from './app.ts'

describe.each(versions)('defects of peers, on %s', (_, express) => {
  it('IDJ 1: one key on two routes is two operations', async () => {
    const { app, guard, post } = testApp(express)
    app.post('/a', guard(), (_req, res) => res.json('a'))
    app.post('/b', guard(), (_req, res) => res.json('b'))
    expect([await (await post('/a', json({}))).json(), await (await post('/b', json({}))).json()]).toEqual(['a', 'b'])
  })

  it.each([
    ['IDJ 3: the client disconnects, the handler finishes, and the retry gets its answer'],
    ['idemkit (Go): recording is not cancelled with the request'],
    ['IdempotencyGuard: an aborted request does not release the key of a finished write'],
  ])('%s', async () => {
    const { app, guard, post, idempotency } = testApp(express)
    const started = deferred()
    const left = deferred()
    const recorded = deferred()
    let runs = 0
    idempotency.on('completed', () => recorded.resolve())
    app.post('/charges', guard(), async (req, res) => {
      runs++
      req.socket.once('close', () => left.resolve())
      started.resolve()
      await left.promise
      res.status(201).json({ runs })
    })
    const leave = new AbortController()
    const first = post('/charges', { signal: leave.signal })
    await started.promise
    leave.abort()
    await expect(first).rejects.toThrow()
    await recorded.promise
    const again = await post('/charges')
    expect([again.status, await again.json(), runs]).toEqual([201, { runs: 1 }, 1])
  })

  it('IDJ 6: a Buffer, res.write() and cookies come through a replay undamaged, or not at all', async () => {
    const { app, guard, post } = testApp(express)
    const bytes = Buffer.from([0xff, 0xfe, 0, 0x41])
    app.post('/buffer', guard(), (_req, res) => res.cookie('a', '1').cookie('b', '2').send(bytes))
    app.post('/write', guard(), (_req, res) => {
      res.write('written')
      res.end()
    })
    for (const path of ['/buffer', '/write']) await post(path)
    const buffer = await post('/buffer')
    expect([Buffer.from(await buffer.arrayBuffer()), buffer.headers.getSetCookie()]).toEqual([bytes, []])
    expect(await (await post('/write')).text()).toBe('written')
  })

  it('IDJ 6: an event stream starts before its handler has ended', async () => {
    const { app, guard, post } = testApp(express)
    const gate = deferred()
    app.post('/events', guard(), async (_req, res) => {
      res.type('text/event-stream').write('data: 1\n\n')
      await gate.promise
      res.end()
    })
    const { body } = await post('/events')
    const { value } = (await body?.getReader().read()) ?? {}
    expect(new TextDecoder().decode(value)).toBe('data: 1\n\n')
    gate.resolve()
  })

  it('IDJ 8: a server error is not kept for a day', async () => {
    const { app, guard, post } = testApp(express)
    let runs = 0
    app.post('/charges', guard(), (_req, res) => res.sendStatus(++runs === 1 ? 500 : 201))
    expect([(await post('/charges')).status, (await post('/charges')).status]).toEqual([500, 201])
  })

  it('IDJ 10: a key and the same key in quotes are one, and a comma inside is no fault', async () => {
    const { app, guard, post } = testApp(express)
    let runs = 0
    app.post('/charges', guard(), (_req, res) => res.json(++runs))
    for (const key of ['KG5LxwFBepaKHyUD', '"KG5LxwFBepaKHyUD"', '"KG5LxwFBepaKHyUD";v=1', '"a, b"', '"a, b"']) {
      expect((await post('/charges', { key })).status).toBe(200)
    }
    expect(runs).toBe(2)
  })

  it('NI 2: a 204 is replayed and not run again', async () => {
    const { app, guard, post } = testApp(express)
    let runs = 0
    app.post('/charges', guard(), (_req, res) => {
      runs++
      res.status(204).end()
    })
    const statuses: number[] = []
    for (let request = 0; request < 3; request++) statuses.push((await post('/charges')).status)
    expect([statuses, runs]).toEqual([[204, 204, 204], 1])
  })

  function unavailable(): IdempotencyStore {
    const fail = () => Promise.reject(new StoreUnavailableError('unreachable', { applied: 'no' }))
    return { ...memoryStore(), begin: fail, get: fail }
  }

  it('NI 3: an outage of the store is answered, and nothing runs unprotected', async () => {
    const { app, guard, post } = testApp(
      express,
      createIdempotency({ store: unavailable(), namespace: 'test', storeTimeout: 100 }),
    )
    let runs = 0
    app.post('/charges', guard(), (_req, res) => res.json(++runs))
    expect([(await post('/charges')).status, runs]).toEqual([503, 0])
  })

  it('NI 4: a failure to record is no unhandled rejection', async () => {
    const rejections: unknown[] = []
    const listen = (reason: unknown) => rejections.push(reason)
    process.on('unhandledRejection', listen)
    const transition = () => Promise.reject(new StoreUnavailableError('unreachable', { applied: 'unknown' }))
    const store: IdempotencyStore = { ...memoryStore(), transition }
    const { app, guard, post } = testApp(
      express,
      createIdempotency({ store, namespace: 'test', settleTimeout: 50, storeTimeout: 50 }),
    )
    app.post('/charges', guard(), (_req, res) => res.sendStatus(201))
    expect((await post('/charges')).status).toBe(201)
    // unhandled rejections are told after the microtasks of their turn, and this is some turns later
    await post('/none')
    process.off('unhandledRejection', listen)
    expect(rejections).toEqual([])
  })

  it('NI 6: routers mounted under different prefixes do not collide', async () => {
    const { app, post, guard } = testApp(express)
    for (const name of ['/payments', '/refunds']) {
      const router = express.Router()
      router.post('/', guard(), (_req, res) => res.json(name))
      app.use(name, router)
    }
    expect([await (await post('/payments')).json(), await (await post('/refunds')).json()]).toEqual([
      '/payments',
      '/refunds',
    ])
  })

  it('NI 6: another query string is no second execution', async () => {
    const { app, post, guard } = testApp(express)
    let runs = 0
    app.post('/charges', guard(), (_req, res) => res.json(++runs))
    await post('/charges?trace=1')
    expect([(await post('/charges?trace=2')).status, runs]).toEqual([422, 1])
  })

  it('NI 7: streams, res.end() and pipes complete their key', async () => {
    const { app, post, guard } = testApp(express)
    app.post('/end', guard(), (_req, res) => res.end('ended'))
    app.post('/pipe', guard(), (_req, res) => Readable.from(['pi', 'ped']).pipe(res))
    app.post('/stream', guard(), (_req, res) => {
      const stream = new PassThrough()
      stream.pipe(res.type('text/event-stream'))
      stream.end('data: 1\n\n')
    })
    for (const path of ['/end', '/pipe', '/stream']) await (await post(path)).text()
    const again = [await post('/end'), await post('/pipe'), await post('/stream')]
    expect(again.map(({ status }) => status)).toEqual([200, 200, 410])
  })

  it('NI 9: Location and every other header of a 201 come with its replay', async () => {
    const { app, post, guard } = testApp(express)
    app.post('/charges', guard(), (_req, res) => res.status(201).location('/charges/1').set('X-Own', 'a').json({}))
    await post('/charges')
    const { headers } = await post('/charges')
    expect([headers.get('location'), headers.get('x-own'), headers.get('etag')]).toEqual([
      '/charges/1',
      'a',
      expect.any(String),
    ])
  })

  it('NI 9: the body of a refusal is replayed as it was', async () => {
    const { app, post, guard } = testApp(express)
    app.post('/charges', guard(), (_req, res) => res.status(402).type('text/plain').send('no funds'))
    const [first, again] = [await post('/charges'), await post('/charges')]
    expect([again.status, await again.text(), again.headers.get('content-type')]).toEqual([
      402,
      'no funds',
      first.headers.get('content-type'),
    ])
    expect(await first.text()).toBe('no funds')
  })

  it('NI 12: a missing key is told from one that is too long, and the order of members does not matter', async () => {
    const { app, post, guard } = testApp(express)
    let runs = 0
    app.post('/charges', guard(), (_req, res) => res.json(++runs))
    const problem = async (key: string | null) =>
      ((await (await post('/charges', { key })).json()) as { type: string }).type
    expect(await problem(null)).toMatch(/#key-missing$/)
    expect(await problem('k'.repeat(256))).toMatch(/#key-invalid$/)
    await post('/charges', json({ a: 1, b: 2 }))
    expect([(await post('/charges', json({ b: 2, a: 1 }))).status, runs]).toEqual([200, 1])
  })

  it('NA 2: bob never receives the answer of alice', async () => {
    const { app, post, guard } = testApp(express)
    app.post('/charges', guard({ scope: (req) => req.get('x-user') ?? '' }), (req, res) => res.json(req.get('x-user')))
    const as = async (user: string) => (await post('/charges', { headers: { 'X-User': user } })).json()
    expect([await as('alice'), await as('bob')]).toEqual(['alice', 'bob'])
  })

  it('NA 3: bytes, streams and what cannot be kept are not run again', async () => {
    const { app, post, guard } = testApp(express)
    let runs = 0
    app.post('/:kind', guard({ maxResponseBytes: 100 }), (req, res) => {
      runs++
      const { kind } = req.params
      if (kind === 'bytes') res.send(Buffer.from([1, 2, 3]))
      else if (kind === 'stream') Readable.from(['a', 'b']).pipe(res.type('text/event-stream'))
      else res.send(Buffer.alloc(1000))
    })
    for (const kind of ['bytes', 'stream', 'large']) {
      await (await post(`/${kind}`, { key: kind })).text()
      await (await post(`/${kind}`, { key: kind })).text()
    }
    expect(runs).toBe(3)
  })

  it('UI 4: what changes an answer changes it once, and not again on its replay', async () => {
    const { app, post, guard } = testApp(express)
    app.post(
      '/charges',
      guard(),
      (_req, res, next) => {
        const send = res.json.bind(res)
        res.json = (value) => send({ wrapped: value })
        next()
      },
      (_req, res) => res.json('value'),
    )
    expect([await (await post('/charges')).json(), await (await post('/charges')).json()]).toEqual([
      { wrapped: 'value' },
      { wrapped: 'value' },
    ])
  })

  it('EI 1: a handler does not run on a replay', async () => {
    const { app, post, guard } = testApp(express)
    const ran: number[] = []
    app.post('/charges', guard(), (req, res) => {
      ran.push(attemptOf(req)?.number ?? 0)
      res.sendStatus(201)
    })
    await post('/charges')
    await post('/charges')
    expect(ran).toEqual([1])
  })

  it('EI 2: no header of a client makes its first request a replay', async () => {
    const { app, post, guard } = testApp(express)
    let runs = 0
    app.post('/charges', guard(), (_req, res) => res.json(++runs))
    const first = await post('/charges', { headers: { 'X-Hit': 'true', 'Idempotency-Replayed': 'true' } })
    expect([first.headers.get('idempotency-replayed'), runs]).toEqual([null, 1])
  })

  it('EI 4: a mismatch is 422', async () => {
    const { app, post, guard } = testApp(express)
    app.post('/charges', guard(), (_req, res) => res.sendStatus(201))
    await post('/charges', json({ amount: 1 }))
    expect((await post('/charges', json({ amount: 2 }))).status).toBe(422)
  })

  it('EI 5: no header of a request is stored', async () => {
    const stored: string[] = []
    const inner = memoryStore()
    const note = (value: unknown) =>
      stored.push(
        JSON.stringify(value, (_key, item: unknown) =>
          item instanceof Uint8Array ? Buffer.from(item).toString('latin1') : item,
        ),
      )
    const store: IdempotencyStore = {
      ...inner,
      begin: (key, claim) => {
        note([key, claim])
        return inner.begin(key, claim)
      },
      transition: (key, token, change) => {
        note([key, token, change])
        return inner.transition(key, token, change)
      },
    }
    const { app, post, guard } = testApp(express, createIdempotency({ store, namespace: 'test' }))
    app.post('/charges', guard(), (_req, res) => res.sendStatus(201))
    await post('/charges', { headers: { Authorization: 'Bearer hunter2', Cookie: 'session=hunter2' } })
    expect(stored).toHaveLength(2)
    expect(stored.join()).not.toContain('hunter2')
  })

  it('EI 6: a second guard does not replace the first', async () => {
    const [one, two] = [
      createIdempotency({ store: memoryStore(), namespace: 'one' }),
      createIdempotency({ store: memoryStore(), namespace: 'two' }),
    ]
    const { app, post, guard } = testApp(express, one)
    const namespaces: string[] = []
    for (const each of [one, two]) each.on('completed', ({ namespace }) => namespaces.push(namespace))
    app.post('/one', guard(), (_req, res) => res.sendStatus(201))
    app.post('/two', testApp(express, two).guard(), (_req, res) => res.sendStatus(201))
    await post('/one')
    await post('/two')
    expect(namespaces).toEqual(['one', 'two'])
  })
})
