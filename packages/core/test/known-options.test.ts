import { memoryStore } from '@retryproof/memory'
import { describe, expect, it } from 'vitest'
import { compressed, contentKey, createIdempotency, encrypted } from '../src/index.ts'
import { assertKnownOptions } from '../src/store.ts'

/** An object that the compiler knows nothing of, as in JavaScript. */
const mistyped = (name: string) => ({ [name]: '1m' }) as unknown as never

describe('a mistyped option', () => {
  it.each([
    ['createIdempotency', 'namspace', 'namespace', createIdempotency],
    ['compressed', 'minByte', 'minBytes', compressed],
    ['encrypted', 'key', 'keys', encrypted],
    ['contentKey', 'windows', 'window', (options: never) => contentKey({}, options)],
    ['recover', 'authorise', 'authorize', (options: never) => idempotency().operation('charge').recover(options)],
    ['list', 'sate', 'state', (filter: never) => idempotency().list(filter)],
    ['drain', 'timeot', 'timeout', (options: never) => idempotency().drain(options)],
    ['issueToken', 'expiresAt', 'expiresIn', (token: never) => idempotency().operation('charge').issueToken(token)],
  ] as const)('of %s, %s, is refused with %s and the list of all', async (_function, name, meant, call) => {
    await expect(async () => call(mistyped(name))).rejects.toThrow(
      expect.objectContaining({
        code: 'IDEMPOTENCY_INVALID_OPTION',
        message: expect.stringMatching(
          new RegExp(`^${name}: is not an option here \\(did you mean ${meant}\\?\\); there are .*${meant}`),
        ),
      }),
    )
  })

  it('that resembles none is refused with the list alone', () => {
    const check = () =>
      assertKnownOptions<{ url: string; table?: string }>(mistyped('colour'), { url: true, table: true })
    expect(check).toThrow(/^colour: is not an option here; there are url, table$/)
  })

  it.each([
    ['nothing', undefined, 'undefined'],
    ['null', null, 'null'],
    ['a text', 'postgres://localhost', 'string'],
    [
      'the pool itself',
      new (class Pool {
        readonly max = 10
      })(),
      'an object of Pool',
    ],
  ])('is not asked for where the options are %s', (_case, options, described) => {
    const check = () =>
      assertKnownOptions<{ url: string; table?: string }>(options as never, { url: true, table: true })
    expect(check).toThrow(`options: must be an object with url, table; got ${described}`)
  })

  it.each([
    ['nothing', undefined, 'undefined'],
    ['an address with a password', 'db://app:hunter2@localhost', 'string'],
    ['a store that nobody awaited', Promise.resolve(memoryStore()), 'an object of Promise'],
  ])('is told from a store that is %s, which is named by its kind alone', (_case, store, kind) => {
    expect(() => createIdempotency({ store: store as never, namespace: 'shop' })).toThrow(
      new RegExp(`^store: must be a store, such as memoryStore\\(\\) .*, got ${kind}$`),
    )
  })

  it('of an object with a class is told as one, where the others are known', () => {
    const options = new (class Settings {
      readonly url = 'db://'
      readonly tabel = 'x'
    })()
    expect(() => assertKnownOptions<{ url: string; table?: string }>(options, { url: true, table: true })).toThrow(
      'tabel: is not an option here (did you mean table?)',
    )
  })

  it('is found by the compiler too, and so is a name that is left out of the list', () => {
    const options: { url: string; table?: string } = { url: 'db://' }
    // @ts-expect-error the list lacks `table`
    assertKnownOptions(options, { url: true })
    assertKnownOptions(options, { url: true, table: true })
  })
})

it.each([
  ['nothing', undefined, 'undefined'],
  ['null', null, 'null'],
  ['a text', 'order-1', 'string'],
])('a call that is %s is refused with what it has to be', async (_case, call, given) => {
  const instance = idempotency()
  const [first, second] = [instance, instance.operation('charge')]
  const wrapped = instance.wrap(
    () => 1,
    () => call as never,
  )
  const calls = [first, second].flatMap(({ run, inspect, forget }) => [
    () => run(call as never, () => 1),
    () => inspect(call as never),
    () => forget(call as never),
  ])
  for (const attempt of [...calls, wrapped])
    await expect(attempt()).rejects.toMatchObject({
      code: 'IDEMPOTENCY_INVALID_CALL',
      message: `call: must be an object with operation, scope and key, got ${given}`,
    })
})

describe('a mistyped member of a call', () => {
  const call = { operation: 'charge', scope: 'ann', key: 'k' }

  it.each([
    ['payLoad', 'payload', { ...call, payLoad: 1 }],
    ['reqeust', 'request', { ...call, payload: 1, reqeust: 1 }],
    ['Scope', 'scope', { operation: 'charge', key: 'k', Scope: 'ann' }],
    ['keys', 'key', { operation: 'charge', scope: 'ann', keys: 'k' }],
  ])('%s, is refused by every method with %s, and nothing runs', async (name, meant, mistyped) => {
    const { run, transaction, inspect, forget, resolve, wrap } = idempotency()
    let runs = 0
    const work = () => ++runs
    const calls = [
      () => run(mistyped as never, work),
      () => transaction(mistyped as never, work),
      () => inspect(mistyped as never),
      () => forget(mistyped as never),
      () => resolve(mistyped as never, 'rerun'),
      wrap(work, () => mistyped as never),
      () =>
        idempotency()
          .operation('charge')
          .redeem('t', mistyped as never, work),
    ]
    for (const attempt of calls)
      await expect(attempt()).rejects.toMatchObject({
        code: 'IDEMPOTENCY_INVALID_CALL',
        message: `call: ${name} is no member of it (did you mean ${meant}?)`,
      })
    expect(runs).toBe(0)
  })

  it('is none where the member is there, or where no member is near: a job may be its own call', async () => {
    const job = { ...call, payload: 1, payLoad: 2, requestId: 'r', keyId: 'x', scopes: [], attempts: 3 }
    await expect(idempotency().run(job, () => 1)).resolves.toMatchObject({ value: 1 })
  })

  it.each([undefined, null, 'text'])('is not asked for where a token or its call is %s', async (given) => {
    const { issueToken, redeem } = idempotency().operation('charge')
    await expect(issueToken(given as never)).rejects.toMatchObject({ code: 'IDEMPOTENCY_INVALID_OPTION' })
    await expect(redeem('t', given as never, () => 1)).rejects.toMatchObject({ code: 'IDEMPOTENCY_INVALID_CALL' })
  })
})

function idempotency() {
  return createIdempotency({
    store: memoryStore(),
    namespace: 'test',
    secret: 'for the life of it',
    storeRequest: 'plaintext',
    purge: false,
  })
}
