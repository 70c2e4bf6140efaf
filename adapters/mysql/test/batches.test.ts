/** Calls that share statements: fewer round trips, and each call with its own answer, error and wait. */
import { checks } from '@retryproof/conformance'
import { expect, onTestFinished, test } from 'vitest'
import { mysqlStore } from '../src/index.ts'
import { claim, completed, connect, onEachServer, storeAt } from './fixtures.ts'
import { openProxy } from './proxy.ts'

const bytes = (text: string) => new TextEncoder().encode(text)
const keys = (count: number, prefix = 'k') => Array.from({ length: count }, (_, index) => `${prefix}${index}`)

await onEachServer(({ title, url }) => {
  async function open() {
    const opened = await storeAt(url)
    onTestFinished(() => opened.pool.end())
    return opened
  }

  const races = checks.filter(({ id, needs }) => /^C1(-|8)/.test(id) && needs.length === 0)
  test.each(races)(`${title}, all clients on one store: $id $title`, async (check) => {
    const { store } = await open()
    await check.run({ open: () => store })
  })

  test(`${title}: 64 fresh calls take few round trips, and replay what each has recorded`, async () => {
    const { table } = await open()
    await using proxy = await openProxy(url)
    const pool = connect(proxy.url)
    onTestFinished(() => pool.end())
    const store = mysqlStore({ pool, table })
    await store.get('opens a connection')

    const before = proxy.roundTrips
    const begun = await Promise.all(
      keys(64).map((key, index) => store.begin(key, claim({ owner: key, request: Uint8Array.of(index, 0, 255) }))),
    )
    expect(begun.map(({ outcome, attempt }) => [outcome, attempt])).toEqual(Array(64).fill(['acquired', 1]))
    // connections are made, and two calls go alone before the first batch
    expect(proxy.roundTrips - before).toBeLessThan(32)

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
    expect((await store.get('k7'))?.request).toEqual(Uint8Array.of(7, 0, 255))
  })

  test(`${title}: calls that arrive together have the answers that they have one by one`, async () => {
    const { store: together, pool, table } = await open()
    const single = mysqlStore({ pool, table, batch: false })
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

  test(`${title}: a key that is too long has an error of its own`, async () => {
    const { store } = await open()
    const all = [...keys(20), 'x'.repeat(300), ...keys(20, 'more')].map((key) =>
      store.begin(key, claim({ owner: key })),
    )
    const answers = await Promise.allSettled(all)
    expect(
      answers.map(({ status }, index) => (status === 'rejected' ? index : -1)).filter((index) => index >= 0),
    ).toEqual([20])
  })

  test(`${title}: a record that a transaction holds does not hold up the others, and closes no connection`, async () => {
    const { store, pool } = await open()
    const { token } = await store.begin('settling', claim())
    const connections = new Set<number>()
    pool.pool.on('connection', ({ threadId }) => connections.add(threadId))
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
    expect(connections.size).toBeLessThanOrEqual(16)
  })

  test(`${title}: a batch that settles most records of the table does not wait for one that a transaction holds`, async () => {
    const { store } = await open()
    const begun = await Promise.all(keys(40).map((key) => store.begin(key, claim())))
    await store.transaction(async (tx) => {
      await store.bind(tx).begin('other', claim())
      const settled = begun.map(({ token }, index) => store.transition(`k${index}`, token, completed('')))
      expect(await Promise.all(settled)).toEqual(Array(40).fill({ outcome: 'ok', applied: true }))
    })
  })

  test(`${title}: a session that somebody left in a transaction answers no batch`, async () => {
    const { pool, table } = await open()
    await using proxy = await openProxy(url)
    const own = connect(proxy.url, { pool: { connectionLimit: 1 } })
    onTestFinished(() => own.end())
    const single = mysqlStore({ pool, table, batch: false })
    const { token } = await single.begin('k', claim())
    const store = mysqlStore({ pool: own, table })
    const left = await own.getConnection()
    await left.query('START TRANSACTION WITH CONSISTENT SNAPSHOT')
    await single.transition('k', token, completed('done'))
    left.release()
    const answers = await Promise.allSettled(keys(20).map(() => store.begin('k', claim({ owner: 'late' }))))
    const seen = answers.map((answer) =>
      answer.status === 'rejected' ? (answer.reason as { code: string }).code : answer.value.outcome,
    )
    // the first finds it out and closes it
    expect(seen[0]).toBe('IDEMPOTENCY_STORE_MISCONFIGURED')
    expect(seen.filter((outcome) => outcome === 'in_progress')).toEqual([])
  })

  test.each([Number.NaN, Infinity, 1.5])(
    `${title}: the token %s changes no record, alone or with others`,
    async (token) => {
      const { store, pool, table } = await open()
      const single = mysqlStore({ pool, table, batch: false })
      await Promise.all(keys(20).map((key) => store.begin(key, claim({ owner: key }))))
      const settle = (by: typeof store, key: string) =>
        by.transition(key, token, completed('')).then(
          ({ outcome }) => outcome,
          (error: Error) => error.message,
        )
      const alone = await settle(single, 'k0')
      expect(await Promise.all(keys(20).map((key) => settle(store, key)))).toEqual(Array(20).fill(alone))
      const found = await Promise.all(keys(20).map((key) => store.get(key)))
      expect(found.map((record) => record?.state)).toEqual(Array(20).fill('in_progress'))
    },
  )

  test(`${title}: where the answer to a batch is lost, the outcome of each call is unknown, and none is sent again`, async () => {
    const { table, store: direct } = await open()
    let batches = 0
    const isBatch = (request: string) => request.includes('INSERT INTO') && !request.includes('ON DUPLICATE')
    await using proxy = await openProxy(url, (request) => (isBatch(request) && ++batches === 1 ? 'lose reply' : 'pass'))
    const pool = connect(proxy.url)
    onTestFinished(() => pool.end())
    const store = mysqlStore({ pool, table })
    const answers = await Promise.allSettled(keys(40).map((key) => store.begin(key, claim({ owner: key }))))
    const lost = answers.flatMap((answer) => (answer.status === 'rejected' ? [answer.reason] : []))
    expect(lost.length).toBeGreaterThan(1)
    for (const error of lost) expect(error).toMatchObject({ code: 'IDEMPOTENCY_STORE_UNAVAILABLE', applied: 'unknown' })
    const repeated = await Promise.all(keys(40).map((key) => direct.begin(key, claim({ owner: key }))))
    expect(repeated.map(({ outcome, attempt }) => [outcome, attempt])).toEqual(Array(40).fill(['acquired', 1]))
  })
})
