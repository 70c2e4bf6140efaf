import { IdempotencyInvalidOptionError, type IdempotencyStore, StoreUnavailableError, unscoped } from '@retryproof/core'
import { memoryStore } from '@retryproof/memory'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { HttpOptions, Notice, Notifier, StatusResource } from '../src/index.ts'
import { createSeal } from '../src/resources/sealed-id.ts'
import { statusResource } from '../src/status.ts'
import { deferred } from './deferred.ts'
import { type Asked, newIdempotency, read, setUp, text } from './set-up.ts'

const secret = 'sixteen random bytes'
const ann: Asked = { user: 'ann' }
const bob: Asked = { user: 'bob' }

function accepting(options: Partial<HttpOptions<Asked>> = {}, idempotency = newIdempotency()) {
  const status = statusResource<Asked>(idempotency, { path: '/operations', scope: ({ user }) => user, secret })
  const poll = async (location: string | undefined, native = ann) =>
    read(await status.answer(String(location).split('/').at(-1) ?? '', native))
  return { ...setUp({ statusResource: status, ...options }, idempotency), status, poll, idempotency }
}

const pending = {
  status: 202,
  headers: {
    'idempotency-status': 'pending',
    'retry-after': '2',
    location: expect.stringMatching(/^\/operations\/[\w-]+$/),
  },
  body: expect.stringMatching(
    /^{"status":"pending","idempotencyStatus":"pending","location":"\/operations\/[\w-]+","retryAfter":2}$/,
  ),
}

describe('a duplicate that is accepted', () => {
  it('is told where the answer will be, and finds it there', async () => {
    const { ask, start, poll } = accepting({ onInProgress: 'accept' })
    const gate = deferred()
    const first = start({}, { gate: gate.promise, answer: { headers: [['Location', '/charges/1']] } })
    const duplicate = await ask()
    expect(duplicate).toMatchObject(pending)
    const { location } = duplicate.headers
    expect(await poll(location)).toMatchObject(pending)
    gate.resolve()
    expect(await first.finished).toMatchObject({ status: 'own', runs: 1 })
    expect(await poll(location)).toEqual({
      status: 201,
      headers: { location: '/charges/1', 'idempotency-replayed': 'true' },
      body: 'done',
    })
  })

  it('is a mismatch all the same with another payload', async () => {
    const { ask, start } = accepting({ onInProgress: 'accept' })
    const gate = deferred()
    const first = start({}, { gate: gate.promise })
    expect(await ask({ body: text('{"other":1}') })).toMatchObject({ status: 422 })
    gate.resolve()
    await first.finished
  })
})

describe('a first caller that does not wait', () => {
  const early = { respond: 'async', storeRequest: 'no' } as const

  it('is answered before its handler runs, and finds the answer later', async () => {
    const { start, ask, poll, attempts } = accepting(early)
    const gate = deferred()
    const first = start({}, { gate: gate.promise })
    const answered = await first.early
    expect(answered).toMatchObject(pending)
    expect(attempts).toEqual([])
    expect(await ask()).toMatchObject({ status: 409 })
    gate.resolve()
    expect(await first.finished).toMatchObject({ status: 'sent', runs: 1 })
    expect(await poll(answered.headers.location)).toMatchObject({ status: 201, body: 'done' })
    expect(await ask()).toMatchObject({ status: 201, runs: 1 })
  })

  it('learns that the last attempt came to nothing', async () => {
    const { start, poll } = accepting(early)
    const first = start({}, { answer: { status: 500 } })
    const { headers } = await first.early
    await first.finished
    expect(await poll(headers.location)).toMatchObject({ status: 503, headers: { 'retry-after': '2' } })
  })

  it('learns that the process of the last attempt has died, and may ask again', async () => {
    let now = Date.now()
    const store = memoryStore({ now: () => now })
    const { start, poll } = accepting({ ...early, lease: '1m' }, newIdempotency({ store }))
    const gate = deferred()
    const first = start({}, { gate: gate.promise })
    const { headers } = await first.early
    expect(await poll(headers.location)).toMatchObject(pending)
    now += 60_000
    expect(await poll(headers.location)).toMatchObject({ status: 503, headers: { 'retry-after': '2' } })
    gate.resolve()
    await first.finished
  })

  it('learns that an answer was not kept', async () => {
    const { start, poll } = accepting(early)
    const first = start({}, { replayable: false, answer: { headers: [['Location', '/charges/1']] } })
    const { headers } = await first.early
    await first.finished
    expect(await poll(headers.location)).toMatchObject({ status: 410, headers: { location: '/charges/1' } })
  })

  it('is refused as ever where nothing runs', async () => {
    const { ask } = accepting(early)
    expect(await ask({ headers: [] })).toMatchObject({ status: 400, runs: 0 })
  })

  describe('and wants to be told', () => {
    function telling(
      address: Notifier<Asked>['address'] = ({ callback }) => (callback ? new URL(callback) : undefined),
    ) {
      const told: [string, Notice][] = []
      const webhook: Notifier<Asked> = { address, deliver: async (url, notice) => void told.push([url.href, notice]) }
      return { told, webhook }
    }
    const native = { user: 'ann', callback: 'https://hooks.example.com/a' }

    it('is told the answer, and where it is', async () => {
      const { told, webhook } = telling()
      const { start } = accepting({ ...early, webhook })
      await start({ native }).finished
      expect(told).toEqual([
        [
          native.callback,
          { location: expect.stringMatching(/^\/operations\//), response: expect.objectContaining({ status: 201 }) },
        ],
      ])
    })

    it('is not told of what may still become otherwise', async () => {
      const { told, webhook } = telling()
      const { start } = accepting({ ...early, webhook })
      await start({ native }, { answer: { status: 503 } }).finished
      expect(told).toEqual([])
    })
  })
})

describe('a status resource', () => {
  it('shows a stranger nothing', async () => {
    const { ask, poll, status } = accepting()
    await ask()
    const location = await status.locate('POST /charges', 'k1')
    expect(await poll(location)).toMatchObject({ status: 201 })
    expect(await poll(location, bob)).toMatchObject({ status: 404 })
  })

  it.each([
    ['that nobody made', 'abc'],
    ['that is empty', ''],
    ['that is no base64url', '%00'],
    ['without end', 'a'.repeat(1_000_000)],
  ])('knows no id %s', async (_, id) => {
    const { status } = accepting()
    expect(await status.answer(id, ann)).toMatchObject({ status: 404 })
  })

  it('knows no id that was changed, or sealed with another secret', async () => {
    const { ask, poll, status, idempotency } = accepting()
    await ask()
    const location = await status.locate('POST /charges', 'k1')
    const changed = location.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A'))
    expect(await poll(changed)).toMatchObject({ status: 404 })
    const other = statusResource<Asked>(idempotency, {
      path: '/',
      scope: ({ user }) => user,
      secret: 'another 16 bytes.',
    })
    expect(await poll(await other.locate('POST /charges', 'k1'))).toMatchObject({ status: 404 })
  })

  it('does not give away which key it is', async () => {
    const { status } = accepting()
    const [one, two] = [await status.locate('charge', 'k1'), await status.locate('charge', 'k1')]
    expect(one).not.toBe(two)
    expect(atob((one.split('/').at(-1) ?? '').replaceAll('-', '+').replaceAll('_', '/'))).not.toContain('k1')
  })

  it('says that nobody knows what became of an operation that was interrupted', async () => {
    const idempotency = newIdempotency()
    const { start, ask, poll, status } = accepting(
      { lease: 10, maxRun: 10, onTakeover: 'park', onInProgress: { wait: '10s' } },
      idempotency,
    )
    const gate = deferred()
    const stalled = start({}, { gate: gate.promise })
    expect(await ask()).toMatchObject({ status: 409, runs: 1 })
    expect(await poll(await status.locate('POST /charges', 'k1'))).toMatchObject({ status: 409 })
    gate.resolve()
    await stalled.finished
  })

  it('answers 503 while the store cannot be reached', async () => {
    const get: IdempotencyStore['get'] = () => Promise.reject(new StoreUnavailableError('gone', { applied: 'no' }))
    const { status, poll } = accepting({}, newIdempotency({ store: { ...memoryStore(), get } }))
    expect(await poll(await status.locate('charge', 'k1'))).toMatchObject({ status: 503 })
  })

  it.each<[string, Partial<Parameters<typeof statusResource>[1]>]>([
    ['path', { path: 'operations' }],
    ['path', { path: '/operations?a=1' }],
    ['secret', { secret: 'short' }],
    ['scope', { scope: 'everybody' as never }],
  ])('refuses another %s: %j', (option, options) => {
    const all = { path: '/operations', scope: unscoped, secret, ...options } as Parameters<typeof statusResource>[1]
    expect(() => statusResource(newIdempotency(), all)).toThrow(IdempotencyInvalidOptionError)
    expect(() => statusResource(newIdempotency(), all)).toThrow(option)
  })
})

describe('options of what is answered later', () => {
  const status = {} as StatusResource<Asked>
  const notifier = {} as Notifier<Asked>

  it.each<[string, Partial<HttpOptions<Asked>>]>([
    ['statusResource', { onInProgress: 'accept' }],
    ['statusResource', { respond: 'async', storeRequest: 'no' }],
    ['respond', { respond: 'async', statusResource: status }],
    ['respond', { respond: 'later' as 'async', statusResource: status }],
    ['webhook', { webhook: notifier }],
    ['transaction', { transaction: true }],
  ])('%s is refused: %j', (option, options) => {
    expect(() => setUp(options)).toThrow(IdempotencyInvalidOptionError)
    expect(() => setUp(options)).toThrow(option)
  })
})

describe('what is sealed', () => {
  it('has one spelling, and cannot be opened when any character of it is another', async () => {
    const { seal, open } = createSeal(secret, 'a')
    for (const plain of ['', 'a', 'ab']) {
      const sealed = await seal(plain)
      for (let at = 0; at < sealed.length; at++) {
        for (const other of ['A', 'B', '-', '_']) {
          const changed = sealed.slice(0, at) + other + sealed.slice(at + 1)
          expect(await open(changed)).toBe(changed === sealed ? plain : null)
        }
      }
    }
  })

  it('can be opened with its secret and for its purpose only', async () => {
    const { seal, open } = createSeal(secret, 'a')
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'grapheme' }), async (plain) => {
        const sealed = await seal(plain)
        expect(sealed).toMatch(/^[\w-]+$/)
        expect(await open(sealed)).toBe(plain)
        expect(await createSeal(secret, 'b').open(sealed)).toBeNull()
      }),
      { numRuns: 30 },
    )
  })
})
