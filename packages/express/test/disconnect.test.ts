import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough, Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createIdempotency, type IdempotencyStore } from '@retryproof/core'
import { memoryStore } from '@retryproof/memory'
import type { Response as ExpressResponse, NextFunction, Request, RequestHandler } from 'express'
import { describe, expect, it } from 'vitest'
import { deferred, json, testApp, versions } from './app.ts'

type Answer = (req: Request, res: ExpressResponse, next: NextFunction) => unknown

const file = join(await mkdtemp(join(tmpdir(), 'retryproof-')), 'file.bin')
await writeFile(file, Buffer.alloc(300_000, 1))

describe.each(versions)('a client that goes away on %s', (_, express) => {
  /** Runs `answer` once its client has left; resolves when the key was settled or released. */
  async function abandoned(answer: Answer) {
    const set = testApp(express)
    const started = deferred()
    const left = deferred()
    const over = deferred<string>()
    let runs = 0
    for (const type of ['completed', 'released'] as const) set.idempotency.on(type, () => over.resolve(type))
    set.app.set('env', 'test')
    set.app.post('/charges', set.guard(), (req, res, next) => {
      runs++
      if (runs > 1) return res.json({ runs })
      req.socket.once('close', () => left.resolve())
      started.resolve()
      left.promise.then(() => answer(req, res, next)).catch(next)
    })
    const leave = new AbortController()
    const request = set.post('/charges', { signal: leave.signal })
    await started.promise
    leave.abort()
    await expect(request).rejects.toThrow()
    const ended = await over.promise
    const again = await set.post('/charges')
    return { ended, again, runs }
  }

  it.each<[string, Answer]>([
    ['json()', (_req, res) => res.status(201).json({ runs: 1 })],
    ['write() and end()', (_req, res) => [res.status(201).write('{"runs":'), res.end('1}')]],
    ['a pipe', (_req, res) => Readable.from(['{"runs":', '1}']).pipe(res.status(201))],
    ['a pipeline', (_req, res) => pipeline(Readable.from(['{"runs":', '1}']), res.status(201))],
  ])('gets the answer with its next try, and nothing runs twice: %s', async (_name, answer) => {
    const { ended, again, runs } = await abandoned(answer)
    expect([ended, again.status, again.headers.get('idempotency-replayed'), runs]).toEqual([
      'completed',
      201,
      'true',
      1,
    ])
    expect(await again.json()).toEqual({ runs: 1 })
  })

  it.each<[string, Answer]>([
    ['by sendFile', (_req, res) => res.status(201).sendFile(file)],
    ['by sendFile, with a callback that passes errors on', (_req, res, next) => res.status(201).sendFile(file, next)],
    [
      'by download, with a callback',
      (_req, res, next) => res.status(201).download(file, (error) => error && next(error)),
    ],
  ])('gets a file with its next try, and nothing runs twice: %s', async (_name, answer) => {
    const { ended, again, runs } = await abandoned(answer)
    expect([ended, again.status, (await again.arrayBuffer()).byteLength, runs]).toEqual(['completed', 201, 300_000, 1])
  })

  it('gets a file that was on its way when it left', async () => {
    const set = testApp(express)
    const [reading, left, over] = [deferred(), deferred(), deferred<string>()]
    for (const type of ['completed', 'released'] as const) set.idempotency.on(type, () => over.resolve(type))
    let runs = 0
    set.app.set('env', 'test')
    set.app.post('/charges', set.guard(), (req, res, next) => {
      runs++
      req.socket.once('close', () => left.resolve())
      res.once('pipe', (source: Readable) => {
        source.pause()
        reading.resolve()
        void left.promise.then(() => source.resume())
      })
      res.status(201).sendFile(file, (error) => error && next(error))
    })
    const leave = new AbortController()
    const first = set.post('/charges', { signal: leave.signal })
    await reading.promise
    leave.abort()
    await expect(first).rejects.toThrow()
    const again = [await over.promise, await set.post('/charges')] as const
    expect([again[0], again[1].status, (await again[1].arrayBuffer()).byteLength, runs]).toEqual([
      'completed',
      201,
      300_000,
      1,
    ])
  })

  it('does not make a failure a success', async () => {
    const { ended, again, runs } = await abandoned(() => {
      throw new Error('boom')
    })
    expect([ended, again.status, runs]).toEqual(['released', 200, 2])
  })

  it('does not keep a stream from being settled', async () => {
    const set = testApp(express)
    const source = new PassThrough()
    const over = deferred()
    set.idempotency.on('completed', () => over.resolve())
    let runs = 0
    set.app.post('/charges', set.guard(), (_req, res) => {
      runs++
      res.status(201).type('application/x-ndjson')
      source.pipe(res)
      source.write('{}\n')
    })
    const leave = new AbortController()
    const first = await set.post('/charges', { signal: leave.signal })
    await first.body?.getReader().read()
    leave.abort()
    source.end('{}\n')
    await over.promise
    expect([(await set.post('/charges')).status, runs]).toEqual([410, 1])
  })

  it('leaves nothing behind when it goes while its body is on the way', async () => {
    const set = testApp(express)
    let runs = 0
    set.app.post('/charges', set.guard(), express.text({ type: '*/*' }), (_req, res) => res.json(++runs))
    const leave = new AbortController()
    const sent = deferred()
    const body = new ReadableStream({
      pull(controller) {
        controller.enqueue(new TextEncoder().encode('part'))
        sent.resolve()
        return new Promise(() => {})
      },
    })
    const request = set.post('/charges', { body, duplex: 'half', signal: leave.signal } as RequestInit)
    await sent.promise
    leave.abort()
    await expect(request).rejects.toThrow()
    const whole = await set.post('/charges', { body: 'whole', headers: { 'Content-Type': 'text/plain' } })
    expect([whole.status, await whole.json()]).toEqual([200, 1])
  })

  it.each<
    [string, (gate: Promise<void>, reached: () => void) => { store?: IdempotencyStore; between?: RequestHandler }]
  >([
    [
      'while its key is looked up',
      (gate, reached) => {
        const inner = memoryStore()
        const begin: IdempotencyStore['begin'] = async (key, claim) => {
          reached()
          await gate
          return inner.begin(key, claim)
        }
        return { store: { ...inner, begin } }
      },
    ],
    [
      'before the parser has its turn',
      (gate, reached) => ({
        between: (_req, _res, next) => {
          reached()
          gate.then(() => next())
        },
      }),
    ],
  ])('takes its body with it, which is no refusal to remember: %s', async (_name, stall) => {
    const [gate, reached, left, over] = [deferred(), deferred(), deferred(), deferred()]
    const { store = memoryStore(), between } = stall(gate.promise, reached.resolve)
    const set = testApp(express, createIdempotency({ store, namespace: 'test' }))
    set.idempotency.on('released', () => over.resolve())
    set.app.set('env', 'test')
    set.app.use((req, _res, next) => {
      req.socket.once('close', () => left.resolve())
      next()
    })
    set.app.post('/charges', set.guard(), ...(between ? [between] : []), express.json(), (req, res) => {
      if (typeof req.body?.amount === 'number') res.status(201).json(req.body)
      else res.status(400).json({ error: 'amount is missing' })
    })
    const body = json({ amount: 1 })
    const leave = new AbortController()
    const first = set.post('/charges', { ...body, signal: leave.signal })
    await reached.promise
    leave.abort()
    await expect(first).rejects.toThrow()
    await left.promise
    gate.resolve()
    await over.promise
    const again = await set.post('/charges', body)
    expect([again.status, again.headers.get('idempotency-replayed')]).toEqual([201, null])
  })

  it('stops waiting for another', async () => {
    const set = testApp(express)
    const gate = deferred()
    const started = deferred()
    const arrived = deferred()
    set.app.use((req, _res, next) => {
      if (req.get('x-second')) arrived.resolve()
      next()
    })
    set.app.post('/charges', set.guard({ onInProgress: { wait: '1h' } }), async (_req, res) => {
      started.resolve()
      await gate.promise
      res.sendStatus(201)
    })
    const first = set.post('/charges')
    await started.promise
    const conflict = deferred()
    set.idempotency.on('conflict', () => conflict.resolve())
    const leave = new AbortController()
    const second = set.post('/charges', { signal: leave.signal, headers: { 'X-Second': '1' } })
    await arrived.promise
    leave.abort()
    await expect(second).rejects.toThrow()
    await conflict.promise
    gate.resolve()
    expect((await first).status).toBe(201)
  })
})

describe.each(versions)('a handler on %s', (_, express) => {
  it('that throws after its answer has ended gives that answer', async () => {
    const set = testApp(express)
    const errors: unknown[] = []
    let runs = 0
    set.app.set('env', 'test')
    set.app.post(
      '/charges',
      set.guard({}, async (_req, res) => {
        runs++
        res.status(201).json({ runs })
        throw new Error('too late')
      }),
    )
    set.app.use(((error, _req, _res, next) => {
      errors.push(error)
      next(error)
    }) as import('express').ErrorRequestHandler)
    const [first, again] = [await set.post('/charges'), await set.post('/charges')]
    expect([first.status, await first.json(), again.status, await again.json(), runs]).toEqual([
      201,
      { runs: 1 },
      201,
      { runs: 1 },
      1,
    ])
    expect(errors).toMatchObject([{ message: 'too late' }])
  })

  it('that throws after its answer has ended never gives two answers, and never runs twice', async () => {
    const set = testApp(express)
    let runs = 0
    set.app.set('env', 'test')
    set.app.post('/charges', set.guard(), (_req, res) => {
      runs++
      res.status(201).json({ runs })
      throw new Error('too late')
    })
    // Express cuts the connection of whoever fails after having answered
    const first = await set.post('/charges').catch(() => undefined)
    expect([undefined, 201]).toContain(first?.status)
    const again = await set.post('/charges')
    expect([again.status, await again.json(), runs]).toEqual([201, { runs: 1 }, 1])
  })

  it('that answers twice gives its first answer', async () => {
    const set = testApp(express)
    const codes: unknown[] = []
    set.app.post('/charges', set.guard(), (_req, res) => {
      res.status(201).json({ answer: 1 })
      try {
        res.status(500).json({ answer: 2 })
      } catch (error) {
        codes.push((error as NodeJS.ErrnoException).code)
      }
    })
    for (const answer of [await set.post('/charges'), await set.post('/charges')]) {
      expect([answer.status, await answer.json()]).toEqual([201, { answer: 1 }])
    }
    expect(codes).toEqual(['ERR_HTTP_HEADERS_SENT'])
  })

  it('that destroys its response releases the key', async () => {
    const set = testApp(express)
    let runs = 0
    set.app.post('/charges', set.guard(), (_req, res) => {
      runs++
      if (runs === 1) res.destroy()
      else res.json({ runs })
    })
    await expect(set.post('/charges')).rejects.toThrow()
    expect(await (await set.post('/charges')).json()).toEqual({ runs: 2 })
  })

  it('whose stream fails midway releases the key', async () => {
    const set = testApp(express)
    let runs = 0
    set.app.post('/charges', set.guard(), async (_req, res) => {
      runs++
      if (runs > 1) return res.json({ runs })
      const source = new PassThrough()
      res.type('application/x-ndjson')
      source.write('{}\n')
      source.destroy(new Error('disk on fire'))
      await pipeline(source, res).catch(() => undefined)
    })
    const failed = set.post('/charges').then((answer) => answer.text())
    await expect(failed).rejects.toThrow()
    expect(await (await set.post('/charges')).json()).toEqual({ runs: 2 })
  })

  it('that never answers loses its key after maxRun', async () => {
    const set = testApp(express)
    let runs = 0
    const started = deferred()
    set.app.post('/charges', set.guard({ lease: 100, maxRun: 100, onInProgress: { wait: '10s' } }), (_req, res) => {
      runs++
      started.resolve()
      if (runs > 1) res.json({ runs })
    })
    const leave = new AbortController()
    const first = set.post('/charges', { signal: leave.signal })
    await started.promise
    expect(await (await set.post('/charges')).json()).toEqual({ runs: 2 })
    leave.abort()
    await expect(first).rejects.toThrow()
  })
})
