/** What each operation costs, counted where it counts: on the wire. */
import { expect, test } from 'vitest'
import { mysqlStore } from '../src/index.ts'
import { claim, completed, connect, HOUR_MS, onEachServer, storeAt } from './fixtures.ts'
import { openProxy } from './proxy.ts'

await onEachServer(({ title, url }) => {
  test(`round trips on ${title}`, async () => {
    await using fixture = await storeAt(url)
    await using proxy = await openProxy(url)
    const pool = connect(proxy.url, { pool: { connectionLimit: 1 } })
    const store = mysqlStore({ pool, table: fixture.table })
    const trips: Record<string, number> = {}
    async function count<T>(name: string, call: () => Promise<T>): Promise<T> {
      const before = proxy.roundTrips
      const value = await call()
      trips[name] = proxy.roundTrips - before
      return value
    }
    const renew = { to: 'renew', leaseMs: HOUR_MS } as const
    const release = { to: 'released', delayMs: 0, retentionMs: HOUR_MS } as const
    const gone = { leaseMs: 0, retentionMs: 0 }

    const connected = proxy.roundTrips
    await store.get('k')
    const first = proxy.roundTrips - connected

    const { token } = await count('fresh', () => store.begin('k', claim()))
    await count('repeated begin', () => store.begin('k', claim()))
    await count('conflict', () => store.begin('k', claim({ owner: 'two' })))
    await count('mismatch', () => store.begin('k', claim({ fingerprint: 'g' })))
    await count('renew', () => store.transition('k', token, renew))
    await count('checkpoint', () =>
      store.transition('k', token, { ...renew, checkpoint: { seq: 1, data: Buffer.from('c') } }),
    )
    await count('settle', () => store.transition('k', token, completed('x')))
    await count('repeated settle', () => store.transition('k', token, completed('x')))
    await count('stale transition', () => store.transition('k', token - 1, completed('y')))
    await count('replay', () => store.begin('k', claim({ owner: 'two' })))
    await count('get', () => store.get('k'))
    await count('forget', () => store.transition('k', token, { to: 'forgotten', tombstoneMs: HOUR_MS }))
    const again = await count('begin after a forget', () => store.begin('k', claim()))
    await count('park', () => store.transition('k', again.token, { to: 'parked', retentionMs: HOUR_MS }))
    await count('release', () => store.transition('k', again.token, release))
    await count('next attempt', () => store.begin('k', claim({ leaseMs: 0 })))
    await count('takeover', () => store.begin('k', claim({ owner: 'two' })))
    await store.begin('gone', claim(gone))
    await count('begin after expiry', () => store.begin('gone', claim(gone)))
    await count('purge', () => store.purge({ limit: 10, graceMs: 0 }))
    await count('transaction with begin and settle', () =>
      store.transaction(async (tx) => {
        const bound = store.bind(tx)
        const begun = await bound.begin('t', claim())
        return bound.transition('t', begun.token, completed('z'))
      }),
    )
    await pool.end()

    const one = ['fresh', 'renew', 'checkpoint', 'settle', 'forget', 'park', 'release', 'get']
    const three = ['begin after a forget', 'next attempt', 'takeover', 'begin after expiry']
    const expected = (name: string) => (one.includes(name) ? 1 : three.includes(name) ? 3 : 2)
    const usual = Object.fromEntries(Object.keys(trips).map((name) => [name, expected(name)]))
    // three to open and commit it, two for how long it waits for locks, and each operation makes sure that it is still open
    expect(trips).toEqual({ ...usual, 'transaction with begin and settle': 3 + 2 + 2 + 2 })
    // log in, look at server and table, and answer
    expect(first).toBeLessThanOrEqual(2 + 3 + 1)
  })
})
