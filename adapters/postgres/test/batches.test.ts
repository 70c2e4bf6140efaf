/** Calls that share a statement: fewer round trips, and each call with its own answer, error and wait. */
import { runInNewContext } from 'node:vm'
import { checks } from '@retryproof/conformance'
import { isIdempotencyError } from '@retryproof/core/store'
import pg from 'pg'
import { afterAll, expect, onTestFinished, test } from 'vitest'
import { services } from '../../../scripts/services.mjs'
import { postgresStore } from '../src/index.ts'
import { bytes, claim, completed, connect, freshDatabase, storeAt } from './fixtures.ts'
import { openProxy } from './proxy.ts'

const keys = (count: number, prefix = 'k') => Array.from({ length: count }, (_, index) => `${prefix}${index}`)

for (const { title, url } of await services('postgres')) {
  const database = await freshDatabase(url)

  async function open() {
    const opened = await storeAt(database)
    onTestFinished(() => opened.pool.end())
    return opened
  }

  const races = checks.filter(({ id, needs }) => /^C1(-|8)/.test(id) && needs.length === 0)
  test.each(races)(`${title}, all clients on one store: $id $title`, async (check) => {
    const { store } = await open()
    await check.run({ open: () => store })
  })

  test(`${title}: 64 fresh calls take fewer than 16 round trips, and replay what each has recorded`, async () => {
    const { table } = await open()
    const proxy = await openProxy(database)
    const pool = connect(proxy.url)
    afterAll(() => proxy.close())
    onTestFinished(() => pool.end())
    const store = postgresStore({ pool, table })
    await store.get('opens a connection')
    await store.transition('no record', 1, completed(''))

    const before = proxy.roundTrips
    const begun = await Promise.all(
      keys(64).map((key, index) => store.begin(key, claim({ owner: key, request: bytes([index, 0, 255]) }))),
    )
    expect(begun.map(({ outcome, attempt }) => [outcome, attempt])).toEqual(Array(64).fill(['acquired', 1]))
    expect(proxy.roundTrips - before).toBeLessThan(16)

    const settled = await Promise.all(
      begun.map(({ token }, index) => store.transition(`k${index}`, token, completed(`result ${index}`))),
    )
    expect(settled).toEqual(Array(64).fill({ outcome: 'ok', applied: true }))
    const repeated = await Promise.all(
      begun.map(({ token }, index) => store.transition(`k${index}`, token, completed('another'))),
    )
    expect(repeated).toEqual(Array(64).fill({ outcome: 'ok', applied: false }))

    const replays = await Promise.all(keys(64).map((key) => store.begin(key, claim({ owner: 'another' }))))
    expect(replays.map(({ result }) => result)).toEqual(keys(64).map((_, index) => bytes(`result ${index}`)))
    expect((await store.get('k7'))?.request).toEqual(bytes([7, 0, 255]))
  })

  test(`${title}: calls that arrive together have the answers that they have one by one`, async () => {
    const { store: together, pool, table } = await open()
    const single = postgresStore({ pool, table, batch: false })
    const large = 'x'.repeat(200_000)
    for (const [index, key] of keys(8, 'held').entries()) {
      const { token } = await single.begin(key, claim({ leaseMs: index % 2 ? 0 : 60_000, request: bytes(key) }))
      if (index > 3) await single.transition(key, token, completed(index === 7 ? large : key))
      if (index === 2) await single.transition(key, token, { to: 'forgotten', tombstoneMs: 60_000 })
    }
    const mixed = [...keys(8, 'held'), ...keys(8, 'new'), ...keys(8, 'held'), 'new0', 'new1']
    const begun = await Promise.all([
      ...mixed.map((key) => together.begin(key, claim({ owner: 'two' }))),
      ...keys(8, 'new').map((key) => together.begin(key, claim({ owner: 'three', fingerprint: 'other' }))),
    ])
    expect(begun.slice(mixed.length).map(({ outcome }) => outcome)).toEqual(Array(8).fill('mismatch'))
    const seen = begun
      .slice(0, mixed.length)
      .map(({ outcome, attempt, interrupted }) => [outcome, attempt, interrupted])
    expect(seen.slice(0, 8)).toEqual([
      ['in_progress', 1, false],
      ['acquired', 2, true],
      ['acquired', 1, false],
      ['acquired', 2, true],
      ...Array(4).fill(['settled', 1, false]),
    ])
    expect(seen.slice(8, 16)).toEqual(Array(8).fill(['acquired', 1, false]))
    expect(begun[7]?.result).toEqual(bytes(large))
    expect(begun[1]?.request).toEqual(bytes('held1'))
  })

  test(`${title}: a call that the server refuses has an error of its own`, async () => {
    const { store } = await open()
    const calls = [...keys(20), 'no\0text', ...keys(20, 'more')].map((key) =>
      store.begin(key, claim({ owner: key })).catch((error: unknown) => error),
    )
    const answers = await Promise.all(calls)
    const failed = answers.filter((answer) => answer instanceof Error)
    expect(failed.map((error) => isIdempotencyError(error, 'IDEMPOTENCY_STORE_MISCONFIGURED'))).toEqual([true])
    expect(answers[20]).toBe(failed[0])
  })

  test(`${title}: a record that a transaction holds does not hold up the others, and closes no connection`, async () => {
    const { store, pool } = await open()
    let closed = 0
    pool.on('remove', () => closed++)
    const { token } = await store.begin('settling', claim())
    let waited: Promise<unknown>[] = []
    await store.transaction(async (tx) => {
      const bound = store.bind(tx)
      await bound.begin('open', claim())
      await bound.transition('settling', token, completed('inside'))
      // the first two have a lane each
      const begun = ['open', 'open', ...keys(20), 'open'].map((key, index) =>
        store.begin(key, claim({ owner: `${index}` })),
      )
      const others = await Promise.all(keys(20, 'other').map((key) => store.begin(key, claim({ owner: key }))))
      const settled = others.map((other, index) => store.transition(`other${index}`, other.token, completed('')))
      settled.splice(10, 0, store.transition('settling', token, completed('outside')))
      waited = [...begun.splice(22, 1), ...begun.splice(0, 2), ...settled.splice(10, 1)]
      expect((await Promise.all(begun)).every(({ outcome }) => outcome === 'acquired')).toBe(true)
      expect(await Promise.all(settled)).toEqual(Array(20).fill({ outcome: 'ok', applied: true }))
    })
    expect(await Promise.all(waited)).toEqual([
      ...Array(3).fill(expect.objectContaining({ outcome: 'in_progress' })),
      { outcome: 'ok', applied: false },
    ])
    expect(closed).toBe(0)
  })

  test(`${title}: a session that somebody left in a transaction is closed when a batch fails in it`, async () => {
    const { store, pool, table } = await open()
    const left = await pool.connect()
    await left.query('BEGIN')
    await store.transaction(async (tx) => {
      await tx.query(`LOCK TABLE ${table} IN ACCESS EXCLUSIVE MODE`)
      await left.query(`SET LOCAL lock_timeout = 10`)
      left.release()
      expect(pool.totalCount).toBe(2)
      await expect(store.begin('k', claim())).rejects.toMatchObject({ applied: 'no' })
      expect(pool.totalCount).toBe(1)
    })
  })

  test(`${title}: bytes of another realm are recorded as they are`, async () => {
    const { store } = await open()
    const foreign = (text: string): Uint8Array => runInNewContext('Uint8Array.from(values)', { values: bytes(text) })
    await Promise.all(keys(20).map((key) => store.begin(key, claim({ owner: key, request: foreign(key) }))))
    const found = await Promise.all(keys(20).map((key) => store.get(key)))
    expect(found.map((record) => record?.request)).toEqual(keys(20).map((key) => bytes(key)))
  })

  test.each([Number.NaN, Infinity, 1.5, undefined, null])(
    `${title}: the token %s changes no record, alone or with others`,
    async (token) => {
      const { store, pool, table } = await open()
      const single = postgresStore({ pool, table, batch: false })
      await Promise.all(keys(20).map((key) => store.begin(key, claim({ owner: key }))))
      const settle = (by: typeof store, key: string) =>
        by.transition(key, token as number, completed('')).then(
          ({ outcome }) => outcome,
          (error: Error) => error.message,
        )
      const alone = await settle(single, 'k0')
      expect(await Promise.all(keys(20).map((key) => settle(store, key)))).toEqual(Array(20).fill(alone))
      const found = await Promise.all(keys(20).map((key) => store.get(key)))
      expect(found.map((record) => record?.state)).toEqual(Array(20).fill('in_progress'))
    },
  )

  test(`${title}: calls on a single client share nothing, for it may be in a transaction of its caller`, async () => {
    const { table } = await open()
    const client = new pg.Client(database)
    await client.connect()
    onTestFinished(() => client.end())
    const store = postgresStore({ pool: client, table })
    await client.query('BEGIN')
    await client.query("SET LOCAL lock_timeout = '7s'")
    await Promise.all(keys(20).map((key) => store.begin(key, claim({ owner: key }))))
    expect((await client.query('SHOW lock_timeout')).rows).toEqual([{ lock_timeout: '7s' }])
    await client.query('COMMIT')
  })

  test(`${title}: where the answer to a batch is lost, the outcome of each call is unknown, and none is sent again`, async () => {
    const { table, store: direct } = await open()
    let batches = 0
    const isBatch = (request: string) => request.includes('"i":1,')
    const proxy = await openProxy(database, (request) => (isBatch(request) && ++batches === 1 ? 'lose reply' : 'pass'))
    const pool = connect(proxy.url)
    afterAll(() => proxy.close())
    onTestFinished(() => pool.end())
    const store = postgresStore({ pool, table })
    const answers = await Promise.allSettled(keys(40).map((key) => store.begin(key, claim({ owner: key }))))
    const lost = answers.flatMap((answer) => (answer.status === 'rejected' ? [answer.reason] : []))
    expect(lost.length).toBeGreaterThan(1)
    for (const error of lost) expect(error).toMatchObject({ code: 'IDEMPOTENCY_STORE_UNAVAILABLE', applied: 'unknown' })
    const repeated = await Promise.all(keys(40).map((key) => direct.begin(key, claim({ owner: key }))))
    expect(repeated.map(({ outcome, attempt }) => [outcome, attempt])).toEqual(Array(40).fill(['acquired', 1]))
  })
}
