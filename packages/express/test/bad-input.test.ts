import { request } from 'node:http'
import { connect } from 'node:net'
import { buffer, text } from 'node:stream/consumers'
import {
  createIdempotency,
  type IdempotencyStore,
  StoreMisconfiguredError,
  StoreUnavailableError,
  type unscoped,
} from '@retryproof/core'
import { memoryStore } from '@retryproof/memory'
import type { ErrorRequestHandler } from 'express'
import { describe, expect, it } from 'vitest'
import { json, testApp, versions } from './app.ts'

const tellError: ErrorRequestHandler = (error, _req, res, _next) => {
  res.status(500).json({ code: error.code, message: (error as Error).message })
}

/** A memory store of which some calls fail as they would with a database that cannot be reached. */
function failing(calls: Partial<IdempotencyStore>): IdempotencyStore {
  return { ...memoryStore(), ...calls }
}

describe.each(versions)('bad input on %s', (_, express) => {
  function counting(store: IdempotencyStore = memoryStore()) {
    const set = testApp(express, createIdempotency({ store, namespace: 'test', storeTimeout: 200, settleTimeout: 200 }))
    const counter = { runs: 0 }
    set.app.use(express.json())
    set.app.post('/charges', set.guard(), (_req, res) => res.status(201).json({ runs: ++counter.runs }))
    set.app.use(tellError)
    return { ...set, counter }
  }

  it.each<[string, string | string[] | undefined]>([
    ['none', undefined],
    ['empty', ''],
    ['of 256 characters', 'k'.repeat(256)],
    ['with an unbalanced quote', '"k1'],
    ['sent twice', ['k1', 'k1']],
    ['sent twice, as halves of a string', ['"k', '1"']],
    ['with a tab', '"k\t1"'],
    ['with what is no ASCII', '"ké"'],
  ])('a key %s is answered with 400 that says what to do', async (_name, key) => {
    const { port, counter } = counting()
    const sent = request({
      port: await port(),
      method: 'POST',
      path: '/charges',
      agent: false,
      headers: key === undefined ? {} : { 'Idempotency-Key': key },
    })
    sent.end()
    const answer = await new Promise<import('node:http').IncomingMessage>((resolve, reject) =>
      sent.on('response', resolve).on('error', reject),
    )
    expect(answer.statusCode).toBe(400)
    expect(answer.headers).toMatchObject({
      'content-type': 'application/problem+json',
      link: expect.stringMatching(/^<https:.*>; rel="describedby"$/),
    })
    expect(JSON.parse(await text(answer))).toMatchObject({
      status: 400,
      retryable: false,
      detail: expect.stringMatching(/key/i),
    })
    expect(counter.runs).toBe(0)
  })

  it('a key with a control character never gets as far as a handler', async () => {
    const { port, counter } = counting()
    const socket = connect(await port(), '127.0.0.1')
    socket.end(
      'POST /charges HTTP/1.1\r\nHost: a\r\nConnection: close\r\nIdempotency-Key: "k\u00011"\r\n\r\n',
      'latin1',
    )
    expect((await buffer(socket)).toString()).toMatch(/^HTTP\/1.1 400 /)
    expect(counter.runs).toBe(0)
  })

  it('a key reused with another payload is 422, and the first answer stays', async () => {
    const { post, counter } = counting()
    await post('/charges', json({ amount: 1 }))
    const reused = await post('/charges', json({ amount: 2 }))
    expect([reused.status, await reused.json()]).toEqual([422, expect.objectContaining({ retryable: false })])
    const again = await post('/charges', json({ amount: 1 }))
    expect([again.status, await again.json(), counter.runs]).toEqual([201, { runs: 1 }, 1])
  })

  it.each<[string, unknown]>([
    ['missing', undefined],
    ['empty', ''],
    ['the text of what is missing', 'undefined'],
    ['a list with an empty part', ['tenant', '']],
  ])('a scope that is %s is nobody: 401, with the route and the function', async (_name, scope) => {
    const { app, guard, post } = testApp(express)
    let runs = 0
    const whoever = () => scope as string
    app.post('/charges', guard({ scope: whoever }), (_req, res) => res.json(++runs))
    const answer = await post('/charges')
    const detail = expect.stringMatching(/`whoever` of POST \/charges/) as string
    expect([answer.status, await answer.json(), runs]).toEqual([401, expect.objectContaining({ detail }), 0])
  })

  it.each<[string, unknown]>([
    ['a BigInt', { amount: 1n }],
    [
      'a cycle',
      (() => {
        const cycle: Record<string, unknown> = {}
        cycle.self = cycle
        return cycle
      })(),
    ],
  ])('an answer with %s is the error that Express makes of it', async (_name, value) => {
    const { app, guard, post } = testApp(express)
    app.post('/charges', guard(), (_req, res) => res.json(value))
    app.use(tellError)
    const answer = await post('/charges')
    expect([answer.status, await answer.json()]).toEqual([500, { message: expect.any(String) }])
  })

  it.each<[string, (res: import('express').Response, bytes: Buffer) => unknown]>([
    ['sent at once', (res, bytes) => res.status(201).send(bytes)],
    [
      'written in pieces',
      (res, bytes) => {
        res.status(201)
        for (let at = 0; at < bytes.length; at += 65_536) res.write(bytes.subarray(at, at + 65_536))
        res.end()
      },
    ],
  ])('an answer of 20 MB, %s, reaches its client, and is not run again', async (_name, answer) => {
    const { app, guard, post } = testApp(express)
    let runs = 0
    app.post('/charges', guard(), (_req, res) => {
      runs++
      answer(res, Buffer.alloc(20_000_000, 7))
    })
    const first = await post('/charges')
    expect([first.status, (await first.arrayBuffer()).byteLength]).toEqual([201, 20_000_000])
    const again = await post('/charges')
    expect([again.status, await again.json(), runs]).toEqual([
      410,
      expect.objectContaining({ original: { status: 201 } }),
      1,
    ])
  })

  it('a store that cannot be reached is 503, and nothing runs', async () => {
    const begin = () => Promise.reject(new StoreUnavailableError('password=hunter2', { applied: 'no' }))
    const { post, counter } = counting(failing({ begin }))
    const answer = await post('/charges')
    expect([answer.status, answer.headers.get('retry-after'), counter.runs]).toEqual([503, '2', 0])
    expect(await answer.text()).not.toContain('hunter2')
  })

  it('a store that needs its operator is an error of the application, and nothing runs', async () => {
    const begin = () => Promise.reject(new StoreMisconfiguredError('the table is missing: run migrate()'))
    const { post, counter } = counting(failing({ begin }))
    const answer = await post('/charges')
    expect([answer.status, await answer.json(), counter.runs]).toEqual([
      500,
      { code: 'IDEMPOTENCY_STORE_MISCONFIGURED', message: expect.stringContaining('migrate') },
      0,
    ])
  })

  it('a store that fails when the answer is there does not make a failure of it', async () => {
    const transition = () => Promise.reject(new StoreUnavailableError('gone', { applied: 'unknown' }))
    const { post, counter, idempotency } = counting(failing({ transition }))
    const reasons: string[] = []
    idempotency.on('unrecorded', ({ reason }) => reasons.push(reason))
    const answer = await post('/charges')
    expect([answer.status, await answer.json(), counter.runs, reasons.length]).toEqual([201, { runs: 1 }, 1, 1])
  })

  it('a record that cannot be read is 500, and nothing runs', async () => {
    const store = memoryStore()
    const first = counting(store)
    await first.post('/charges')
    const corrupt: IdempotencyStore = {
      ...store,
      begin: async (key, claim) => ({ ...(await store.begin(key, claim)), result: new Uint8Array([1, 2, 3]) }),
    }
    const { post, counter } = counting(corrupt)
    const answer = await post('/charges')
    expect([answer.status, await answer.json(), counter.runs]).toEqual([
      500,
      expect.objectContaining({ retryable: false }),
      0,
    ])
  })

  it('options out of range are refused when the route is made', () => {
    const { guard } = testApp(express)
    expect(() => guard({ retention: '1ms' })).toThrow('retention')
    expect(() => guard({ scope: undefined as unknown as typeof unscoped })).toThrow('scope')
  })
})
