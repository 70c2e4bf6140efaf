import {
  contentKey,
  IdempotencyInvalidCallError,
  IdempotencyInvalidOptionError,
  IdempotencyKeyReusedError,
  notStarted,
  unscoped,
} from '@retryproof/core'
import { describe, expect, it, vi } from 'vitest'
import type { HttpOptions } from '../src/index.ts'
import { deferred } from './deferred.ts'
import { type Asked, setUp, text } from './set-up.ts'

describe('a guarded request', () => {
  it('runs once, and is replayed with a mark', async () => {
    const { ask } = setUp()
    expect(await ask()).toMatchObject({ status: 'own', runs: 1 })
    const { decision, runs } = await ask()
    expect(runs).toBe(1)
    expect(decision).toEqual({
      kind: 'send',
      response: { status: 201, headers: [['Idempotency-Replayed', 'true']], body: text('done') },
    })
  })

  it('is told from one of another user, operation or method', async () => {
    const { ask } = setUp({ methods: ['PUT'] })
    await ask()
    expect(await ask({ native: { user: 'bob' } })).toMatchObject({ status: 'own', runs: 2 })
    expect(await ask({ route: '/refunds', target: '/refunds' })).toMatchObject({ status: 'own', runs: 3 })
    expect(await ask({ method: 'PUT' })).toMatchObject({ status: 'own', runs: 4 })
  })

  it('is a mismatch with another body or target, and the first answer stays', async () => {
    const { ask } = setUp()
    await ask()
    expect(await ask({ body: text('{"a":1}') })).toMatchObject({ status: 422, runs: 1 })
    expect(await ask({ target: '/charges?x=1' })).toMatchObject({ status: 422, runs: 1 })
    expect(await ask()).toMatchObject({ status: 201, runs: 1 })
  })

  it('needs a key, unless none is required', async () => {
    expect(await setUp().ask({ headers: [] })).toMatchObject({ status: 400, runs: 0 })
    expect(await setUp({ required: false }).ask({ headers: [] })).toMatchObject({ status: 'pass', runs: 0 })
    expect(await setUp({ required: false }).ask({ headers: [['Idempotency-Key', '"']] })).toMatchObject({ status: 400 })
  })

  it.each([
    ['missing', undefined, 400],
    ['empty', '', 400],
    ['too long', 'k'.repeat(256), 400],
    ['no text', { $gt: '' }, 400],
    ['malformed', '\ud800', 400],
    ['a key', 'k', 'own'],
  ])('may take its key from elsewhere, where it is %s', async (_, key, status) => {
    const { ask } = setUp({ key: () => key as string })
    expect(await ask()).toMatchObject({ status })
  })

  it('is not run without a name for the operation', async () => {
    await expect(setUp().ask({ route: undefined })).rejects.toThrow(IdempotencyInvalidOptionError)
    expect(await setUp({ operation: 'charge' }).ask({ route: undefined })).toMatchObject({ status: 'own' })
    expect(await setUp({ operation: ({ user }) => `charge by ${user}` }).ask({ route: undefined })).toMatchObject({
      status: 'own',
    })
  })

  it.each<[string, unknown]>([
    ['missing', undefined],
    ['null', null],
    ['empty', ''],
    ['the text of what is missing', 'undefined'],
    ['the text of no number', 'NaN'],
    ['an empty list', []],
    ['a list with an empty part', ['tenant', '']],
    ['a list with a part that is missing', ['tenant', undefined]],
    ['a list with the text of an object', ['tenant', '[object Object]']],
  ])('is not run for nobody: a scope that is %s', async (_, scope) => {
    const { ask } = setUp({ scope: async () => scope as string })
    const answer = await ask()
    expect([answer.status, answer.runs]).toEqual([401, 0])
    expect(JSON.parse(answer.body)).toMatchObject({ detail: expect.stringMatching(/`scope` of POST \/charges/) })
  })

  it.each<[string, unknown]>([
    ['a number', 7],
    ['a list with a number', ['tenant', 7]],
    ['too long', 'x'.repeat(256)],
  ])('is not run for a scope that is %s', async (_, scope) => {
    const { ask } = setUp({ scope: async () => scope as string })
    await expect(ask()).rejects.toThrow(IdempotencyInvalidCallError)
    await expect(ask()).rejects.toMatchObject({ field: 'scope' })
  })

  it.each(['undefined', 'null', 'NaN', '[object Object]', 'order-undefined', 'bankaccount_null', 'cart:NaN'])(
    'is not run for the key %s',
    async (key) => {
      const { ask } = setUp()
      expect(await ask({ headers: [['Idempotency-Key', `"${key}"`]] })).toMatchObject({ status: 400, runs: 0 })
      expect(await setUp({ key: () => key }).ask()).toMatchObject({ status: 400, runs: 0 })
    },
  )

  it('takes keys of the format that is asked for, however they are quoted', async () => {
    const uuid = '8e03978e-40d5-43dd-bc93-6894a57f9324'
    const { ask } = setUp({ keyFormat: 'uuid' })
    const sent = (key: string) => ask({ headers: [['Idempotency-Key', key]] })
    expect(await sent(`"${uuid}"`)).toMatchObject({ status: 'own', runs: 1 })
    expect(await sent(uuid.toUpperCase())).toMatchObject({ status: 'own', runs: 2 })
    const refused = await sent('k1')
    expect([refused.status, JSON.parse(refused.body)]).toMatchObject([
      400,
      { detail: expect.stringContaining('a UUID') },
    ])
    const sticky = setUp({ keyFormat: /^ord_\d+$/g })
    for (const status of ['own', 'own', 'own']) {
      expect(await sticky.ask({ headers: [['Idempotency-Key', `ord_${sticky.attempts.length}`]] })).toMatchObject({
        status,
      })
    }
    expect(await setUp({ keyFormat: /^ord/, key: () => 'x' }).ask()).toMatchObject({ status: 400 })
  })

  it('speaks of no header where the key comes from elsewhere', async () => {
    const { body } = await setUp({ key: () => undefined }).ask()
    expect((JSON.parse(body) as { detail: string }).detail).not.toContain('Idempotency-Key')
  })

  it('may belong to nobody in particular', async () => {
    const { ask } = setUp({ scope: unscoped })
    await ask()
    expect(await ask({ native: { user: 'bob' } })).toMatchObject({ status: 201, runs: 1 })
  })

  it('is not run when the body cannot be had', async () => {
    await expect(setUp().ask({ body: undefined })).rejects.toThrow(IdempotencyInvalidOptionError)
    expect(await setUp().ask({ body: undefined, read: async () => null })).toMatchObject({ status: 413, runs: 0 })
    expect(
      await setUp().ask({
        headers: [
          ['Idempotency-Key', 'k'],
          ['Content-Type', 'multipart/form-data'],
        ],
      }),
    ).toMatchObject({ status: 415, runs: 0 })
  })

  it('leaves an error of the handler to the application, even one of this library', async () => {
    const { guard } = setUp()
    const error = new IdempotencyKeyReusedError()
    const exchange = {
      method: 'POST',
      target: '/',
      route: '/',
      headers: [['Idempotency-Key', 'k']],
      body: text(''),
      native: { user: 'ann' },
    } as const
    await expect(
      guard.handle(exchange, { execute: () => Promise.reject(error), answerEarly: async () => {} }),
    ).rejects.toBe(error)
  })
})

describe('which answers are recorded', () => {
  const released = async (options: Partial<HttpOptions<Asked>>, status: number) => {
    const { ask } = setUp(options)
    await ask({}, { answer: { status } })
    return (await ask({}, { answer: { status } })).runs === 2
  }
  const statuses = [
    200, 201, 204, 303, 304, 400, 401, 403, 404, 407, 408, 409, 410, 412, 422, 423, 425, 428, 429, 500, 502, 503,
  ]

  it.each<[string, Partial<HttpOptions<Asked>>, number[]]>([
    ['by default those that will not change', {}, [401, 403, 407, 408, 412, 423, 425, 428, 429, 500, 502, 503]],
    ['only successes', { record: 'success' }, statuses.filter((status) => status >= 400)],
    ['all', { record: 'all' }, []],
    ['those that a predicate picks', { record: ({ status }) => status !== 201 }, [201]],
  ])('%s', async (_, options, expected) => {
    const found = await Promise.all(statuses.map(async (status) => ((await released(options, status)) ? [status] : [])))
    expect(found.flat()).toEqual(expected)
  })

  it('never one that was compressed for one client', async () => {
    const { ask } = setUp()
    const headers = [
      ['Content-Encoding', 'gzip'],
      ['Location', '/charges/1'],
    ] as const
    await ask({}, { answer: { status: 201, headers } })
    expect(await ask()).toMatchObject({ status: 410, runs: 1, headers: { location: '/charges/1' } })
  })
})

describe('a replay', () => {
  it('is 204 where the core keeps no more than that it is done', async () => {
    const { ask } = setUp({ replay: 'semantic' })
    expect(await ask()).toMatchObject({ status: 'own' })
    expect(await ask()).toMatchObject({ status: 204, body: '', runs: 1, headers: { 'idempotency-replayed': 'true' } })
  })
})

describe('a key that is made of content', () => {
  it('dedupes equal content of one scope', async () => {
    const { ask } = setUp({ key: ({ user }) => contentKey({ user }, { window: '1m' }) })
    expect(await ask({ headers: [] })).toMatchObject({ status: 'own', runs: 1 })
    expect(await ask({ headers: [] })).toMatchObject({ status: 201, runs: 1 })
    expect(await ask({ headers: [], native: { user: 'bob' } })).toMatchObject({ status: 'own', runs: 2 })
  })
})

describe('a request that has to name a version', () => {
  it('is refused with 428 without one, and nothing runs', async () => {
    const { ask } = setUp({ requirePrecondition: true })
    expect(await ask()).toMatchObject({ status: 428, runs: 0 })
    const headers = [
      ['Idempotency-Key', 'k1'],
      ['If-Match', '"7"'],
    ] as const
    expect(await ask({ headers })).toMatchObject({ status: 'own', runs: 1 })
  })
})

describe('a handler that throws', () => {
  it.each([new Error('declined'), 'declined', undefined, null, { status: 402 }])(
    'is never recorded as a success, whatever answers it: %s',
    async (error) => {
      const { ask } = setUp()
      const failure = { error, answer: { status: 200 } }
      expect(await ask({}, failure)).toMatchObject({ status: 'own', runs: 1 })
      expect(await ask({}, failure)).toMatchObject({ status: 'own', runs: 2 })
    },
  )

  it('is recorded by its status from 400 on', async () => {
    const { ask } = setUp()
    await ask({}, { error: new Error('declined'), answer: { status: 402 } })
    expect(await ask()).toMatchObject({ status: 402, runs: 1 })
  })

  it('leaves an unknown outcome where takeovers are parked, unless it had not started', async () => {
    const { ask } = setUp({ onTakeover: 'park' })
    const answer = { status: 500 }
    await ask({}, { error: notStarted(new Error('busy')), answer })
    await ask({}, { error: new Error('broke'), answer })
    expect(await ask()).toMatchObject({ status: 409, runs: 2 })
  })
})

it('an inner guard of the same operation and key passes, and one of another operation does not', async () => {
  const { ask, start, attempts } = setUp()
  const native = { user: 'ann' }
  const gate = deferred()
  const outer = start({ native }, { gate: gate.promise })
  await vi.waitFor(() => expect(attempts.length).toBe(1))
  expect(await ask({ native })).toMatchObject({ status: 'pass', runs: 1 })
  expect(await ask({ native, route: '/inner' })).toMatchObject({ status: 'own', runs: 2 })
  gate.resolve()
  expect(await outer.finished).toMatchObject({ status: 'own' })
})
