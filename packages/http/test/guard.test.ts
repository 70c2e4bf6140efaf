import {
  type Attempt,
  createIdempotency,
  InvalidCallError,
  InvalidOptionError,
  MismatchError,
  unscoped,
} from '@retryproof/core'
import { memoryStore } from '@retryproof/memory'
import { describe, expect, it } from 'vitest'
import { attemptFor, createGuard, type Exchange, type HandlerAnswer, type HttpOptions } from '../src/index.ts'

interface Asked {
  readonly user: string
}

const text = (value: string) => new TextEncoder().encode(value)

function setUp(options: Partial<HttpOptions<Asked>> = {}) {
  const idempotency = createIdempotency({ store: memoryStore(), namespace: 'test' })
  const guard = createGuard<Asked>(idempotency, { scope: ({ user }) => user, ...options })
  const attempts: Attempt[] = []

  /** What became of one request, and how often the handler has run by then. */
  async function ask(exchange: Partial<Exchange<Asked>> = {}, answer: Partial<HandlerAnswer['response']> = {}) {
    const native = exchange.native ?? { user: 'ann' }
    const decision = await guard.handle(
      {
        method: 'POST',
        target: '/charges',
        route: '/charges',
        headers: [['Idempotency-Key', 'k1']],
        body: text('{}'),
        ...exchange,
        native,
      },
      async (attempt) => {
        attempts.push(attempt)
        expect(attemptFor(native)).toBe(attempt)
        const response = { status: 201, headers: [], body: text('done'), ...answer }
        return { response, replayable: true }
      },
    )
    return { decision, runs: attempts.length, status: typeof decision === 'string' ? decision : decision.status }
  }
  return { ask, guard, idempotency }
}

describe('a guarded request', () => {
  it('runs once, and is replayed with a mark', async () => {
    const { ask } = setUp()
    expect(await ask()).toMatchObject({ decision: 'own', runs: 1 })
    const { decision, runs } = await ask()
    expect(runs).toBe(1)
    expect(decision).toEqual({ status: 201, headers: [['Idempotency-Replayed', 'true']], body: text('done') })
  })

  it('is told from one of another user, operation or method', async () => {
    const { ask } = setUp({ methods: ['PUT'] })
    await ask()
    expect(await ask({ native: { user: 'bob' } })).toMatchObject({ decision: 'own', runs: 2 })
    expect(await ask({ route: '/refunds', target: '/refunds' })).toMatchObject({ decision: 'own', runs: 3 })
    expect(await ask({ method: 'PUT' })).toMatchObject({ decision: 'own', runs: 4 })
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
    expect(await setUp({ required: false }).ask({ headers: [] })).toMatchObject({ decision: 'pass', runs: 0 })
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
    await expect(setUp().ask({ route: undefined })).rejects.toThrow(InvalidOptionError)
    expect(await setUp({ operation: 'charge' }).ask({ route: undefined })).toMatchObject({ decision: 'own' })
    expect(await setUp({ operation: ({ user }) => `charge by ${user}` }).ask({ route: undefined })).toMatchObject({
      decision: 'own',
    })
  })

  it.each<[string, unknown]>([
    ['missing', undefined],
    ['empty', ''],
    ['an empty list', []],
    ['a list with an empty part', ['tenant', '']],
    ['a number', 7],
  ])('is not run for a scope that is %s', async (_, scope) => {
    const { ask } = setUp({ scope: async () => scope as string })
    await expect(ask()).rejects.toThrow(InvalidCallError)
    await expect(ask()).rejects.toMatchObject({ field: 'scope' })
  })

  it('may belong to nobody in particular', async () => {
    const { ask } = setUp({ scope: unscoped })
    await ask()
    expect(await ask({ native: { user: 'bob' } })).toMatchObject({ status: 201, runs: 1 })
  })

  it('is not run when the body cannot be had', async () => {
    await expect(setUp().ask({ body: undefined })).rejects.toThrow(InvalidOptionError)
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
    const error = new MismatchError()
    const exchange = {
      method: 'POST',
      target: '/',
      route: '/',
      headers: [['Idempotency-Key', 'k']],
      body: text(''),
      native: { user: 'ann' },
    } as const
    await expect(guard.handle(exchange, () => Promise.reject(error))).rejects.toBe(error)
  })
})

describe('which answers are recorded', () => {
  const released = async (options: Partial<HttpOptions<Asked>>, status: number) => {
    const { ask } = setUp(options)
    await ask({}, { status })
    return (await ask({}, { status })).runs === 2
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
    await ask(
      {},
      {
        status: 201,
        headers: [
          ['Content-Encoding', 'gzip'],
          ['Location', '/charges/1'],
        ],
      },
    )
    const { decision, runs } = await ask()
    expect(runs).toBe(1)
    expect(decision).toMatchObject({ status: 410, headers: expect.arrayContaining([['Location', '/charges/1']]) })
  })
})
