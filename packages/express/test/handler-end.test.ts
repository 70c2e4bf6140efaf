/** The ways in which a handler ends, and what becomes of its key. */

import { once } from 'node:events'
import { Agent, request } from 'node:http'
import { connect } from 'node:net'
import { pipeline, Readable } from 'node:stream'
import { createIdempotency } from '@retryproof/core'
import { statusResource } from '@retryproof/http/status'
import { memoryStore } from '@retryproof/memory'
import type express from 'express'
import type { ErrorRequestHandler, RequestHandler } from 'express'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { deferred, type TestApp, testApp, versions } from './app.ts'

const answersWith =
  (status: number): ErrorRequestHandler =>
  (_error, _req, res, next) => {
    if (res.headersSent) next(_error)
    else res.status(status).json({ failed: true })
  }

async function states({ idempotency }: Pick<TestApp, 'idempotency'>): Promise<string[]> {
  const found: string[] = []
  for await (const { state } of idempotency.list({})) found.push(state)
  return found
}

describe.each(versions)('a handler of %s', (_, framework: typeof express) => {
  function failing(handler: RequestHandler, given = false) {
    const set = testApp(framework)
    set.app.set('env', 'test')
    const counter = { runs: 0 }
    const counted: RequestHandler = (req, res, next) => {
      counter.runs++
      return handler(req, res, next)
    }
    if (given)
      set.app.post(
        '/x',
        set.guard({}, (req, res) => counted(req, res, () => {})),
      )
    else set.app.post('/x', set.guard(), counted)
    return { ...set, counter }
  }

  it.each<[string, unknown]>([
    ['an object', { id: 1 }],
    ['a list', [1]],
    ['a text', 'done'],
  ])(
    'that returns %s and answers nothing is told once that Express sends none of it, and its answer counts later',
    async (_returned, value) => {
      const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
      onTestFinished(() => warned.mockRestore())
      const answers: express.Response[] = []
      const { app, guard, post, idempotency } = testApp(framework)
      app.post(
        '/x',
        guard({}, (_req, res) => {
          answers.push(res)
          return value
        }),
      )
      const posted = [post('/x?token=t', { key: 'a' }), post('/x', { key: 'b' })]
      await vi.waitFor(() => expect(answers).toHaveLength(2))
      await vi.waitFor(() => expect(warned).toHaveBeenCalled())
      expect(await states({ idempotency })).toEqual(['in_progress', 'in_progress'])
      for (const res of answers) res.status(201).json({ id: 1 })
      for (const answer of await Promise.all(posted)) expect(answer.status).toBe(201)
      expect(warned.mock.calls).toEqual([
        [expect.stringMatching(/^POST \/x: .*call res\.json\(value\)/), expect.anything()],
      ])
    },
  )

  it.each<[string, (res: express.Response) => unknown]>([
    ['a timer that answers', (res) => setTimeout(() => res.sendStatus(204), 1)],
    ['the response that it ended', (res) => res.sendStatus(204)],
    ['a text, having answered', (res) => res.sendStatus(204) && 'done'],
    ['a stream that it pipes', (res) => Readable.from(['a']).pipe(res)],
  ])('that returns %s is not warned of', async (_returned, handler) => {
    const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
    onTestFinished(() => warned.mockRestore())
    const { app, guard, post } = testApp(framework)
    app.post(
      '/x',
      guard({}, (_req, res) => handler(res)),
    )
    expect((await post('/x')).ok).toBe(true)
    expect(warned).not.toHaveBeenCalled()
  })

  it.each<[string, RequestHandler]>([
    [
      'throws',
      () => {
        throw new Error('declined')
      },
    ],
    ['passes an error on', (_req, _res, next) => next(new Error('declined'))],
    ['passes a text on', (_req, _res, next) => next('declined')],
  ])('that %s is no success, though an error handler answers 200', async (_name, handler) => {
    const { app, post, counter } = failing(handler)
    app.use(answersWith(200))
    expect([(await post('/x')).status, (await post('/x')).status, counter.runs]).toEqual([200, 200, 2])
  })

  it('that stands for all paths is given the `next` that its request has, as `res.format` hands it on', async () => {
    const { app, guard, post } = testApp(framework)
    const same: boolean[] = []
    const compare: RequestHandler = (req, _res, next) => {
      same.push(req.next === next)
      next()
    }
    app.use(guard({ operation: 'all' }), compare, compare, (_req, res) => void res.json(same))
    expect(await (await post('/')).json()).toEqual([true, true])
  })

  it('that sends another length than it declares is no success: its end throws, as without a guard', async () => {
    const { app, guard, post, idempotency } = testApp(framework)
    const thrown: unknown[] = []
    const handler: RequestHandler = (_req, res) => {
      res.strictContentLength = true
      try {
        res.set('Content-Length', '5').end('x')
      } catch (error) {
        thrown.push((error as NodeJS.ErrnoException).code)
        res.destroy()
      }
    }
    app.post('/bare', handler)
    app.post('/guarded', guard(), handler)
    for (const path of ['/bare', '/guarded']) await expect(post(path)).rejects.toThrow()
    expect(thrown).toEqual(['ERR_HTTP_CONTENT_LENGTH_MISMATCH', 'ERR_HTTP_CONTENT_LENGTH_MISMATCH'])
    await vi.waitFor(async () => expect(await states({ idempotency })).toEqual(['released']))
  })

  it('whose listener throws when its answer leaves has answered: no other answer follows', async () => {
    const { app, guard, post } = testApp(framework)
    app.post('/', guard(), (_req, res) => {
      res.on('prefinish', () => {
        throw new Error('a listener failed')
      })
      res.end('x')
    })
    for (let sent = 0; sent < 2; sent++) expect(await (await post('/')).text()).toBe('x')
  })

  it('that throws is recorded by the status of its error handler from 400 on', async () => {
    const { app, post, counter } = failing((_req, _res, next) => next(new Error('declined')))
    app.use(answersWith(402))
    expect([(await post('/x')).status, (await post('/x')).status, counter.runs]).toEqual([402, 402, 1])
  })

  it('that fails after a part closes the connection, though an answer before it in the pipeline has not left', async () => {
    const { app, guard, port } = testApp(framework)
    const failed = deferred()
    app.set('env', 'test')
    app.post('/slow', guard({ operation: 'slow' }), (_req, res) => void failed.promise.then(() => res.json({})))
    app.post('/cut', guard({ operation: 'cut' }), (_req, res, next) => {
      res.write('part')
      next(new Error('broke'))
      failed.resolve()
    })
    const socket = connect(await port(), '127.0.0.1')
    for (const path of ['/slow', '/cut'])
      socket.write(`POST ${path} HTTP/1.1\r\nHost: x\r\nIdempotency-Key: k1\r\nContent-Length: 0\r\n\r\n`)
    // a connection that stays open ends this test by its time-out
    socket.resume()
    await once(socket, 'close')
  })

  it.each([undefined, null, false, 0, 'text', { status: 402 }])(
    'that is given to the guard may throw anything: %s',
    async (thrown) => {
      const { app, post, counter } = failing(() => {
        throw thrown
      }, true)
      app.use(answersWith(500))
      expect([(await post('/x')).status, (await post('/x')).status, counter.runs]).toEqual([500, 500, 2])
    },
  )

  it.each<[string, RequestHandler]>([
    [
      'passes an error on after a part',
      (_req, res, next) => {
        res.write('part')
        next(new Error('broke'))
      },
    ],
    [
      'passes an error on after a part has left',
      (_req, res, next) => {
        res.flushHeaders()
        res.write('part')
        next(new Error('broke'))
      },
    ],
    ['destroys its answer', (_req, res) => void res.destroy()],
    ['destroys its socket', (req) => void req.socket.destroy()],
    ['destroys its request', (req) => void req.destroy()],
    [
      'pipes a source that fails',
      (_req, res) => {
        const source = Readable.from(
          (async function* () {
            yield 'a'
            throw new Error('source')
          })(),
        )
        pipeline(source, res, () => {})
      },
    ],
  ])('that %s frees its key at once', async (_name, handler) => {
    const { post, counter, ...set } = failing(handler)
    await expect(post('/x').then((response) => response.text())).rejects.toThrow()
    await vi.waitFor(async () => expect(await states(set)).toEqual(['released']))
    await expect(post('/x').then((response) => response.text())).rejects.toThrow()
    expect(counter.runs).toBe(2)
  })

  it.each<[string, RequestHandler]>([
    ['destroys its answer', (_req, res) => void setImmediate(() => res.destroy())],
    ['destroys its socket', (req) => void setImmediate(() => req.socket.destroy())],
    [
      'pipes a source that fails',
      (_req, res) => {
        pipeline(
          Readable.from([]).map(() => ''),
          res,
          () => {},
        )
        setImmediate(() => res.destroy(new Error('source')))
      },
    ],
    [
      'passes an error on after a part',
      (_req, res, next) => {
        res.write('a')
        setImmediate(() => next(new Error('broke')))
      },
    ],
  ])('that was answered early and %s frees its key, and its connection goes on', async (_name, handler) => {
    const idempotency = createIdempotency({ store: memoryStore(), namespace: 'test' })
    const set = testApp(framework, idempotency)
    set.app.set('env', 'test')
    const status = statusResource<express.Request>(idempotency, {
      path: '/o',
      scope: () => 'a',
      secret: 'x'.repeat(32),
    })
    set.app.post(
      '/x',
      set.guard({ scope: () => 'a', respond: 'async', storeRequest: 'no', statusResource: status }),
      handler,
    )
    set.app.get('/ping', (_req, res) => void res.send('pong'))
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    const port = await set.port()
    const ask = (method: string, path: string) =>
      new Promise<number | undefined>((resolve, reject) => {
        const headers = { 'Idempotency-Key': 'k' }
        const sent = request({ host: '127.0.0.1', port, path, method, agent, headers }, (response) => {
          response.resume().once('end', () => resolve(response.statusCode))
        })
        sent.once('error', reject).end()
      })
    expect(await ask('POST', '/x')).toBe(202)
    await vi.waitFor(async () => expect(await states(set)).not.toEqual(['in_progress']))
    expect([await ask('GET', '/ping'), await ask('GET', '/ping')]).toEqual([200, 200])
    agent.destroy()
  })

  it('goes on for one lease when the server closes its connection, and is then taken over as interrupted', async () => {
    const idempotency = createIdempotency({ store: memoryStore(), namespace: 'test', lease: '300ms' })
    const set = testApp(framework, idempotency)
    const attempts: (boolean | undefined)[] = []
    let sockets: { destroy(): unknown } | undefined
    set.app.post(
      '/x',
      set.guard({}, (_req, res, { attempt }) => {
        attempts.push(attempt?.interrupted)
        if (attempt?.number === 2) res.sendStatus(201)
        else sockets = res.socket ?? undefined
      }),
    )
    const first = set.post('/x')
    await vi.waitFor(() => expect(attempts).toEqual([false]))
    sockets?.destroy() // as time-outs and closeAllConnections() do
    await expect(first).rejects.toThrow()
    expect((await set.post('/x')).status).toBe(409)
    await vi.waitFor(async () => expect((await set.post('/x')).status).toBe(201), { timeout: 3000 })
    expect(attempts).toEqual([false, true])
  })
})
