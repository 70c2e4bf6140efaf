/** Counts the round trips of each operation on the wire. */
import { countRoundTrips } from '@retryproof/conformance/test-tools/round-trips'
import { expect, test } from 'vitest'
import { type MysqlStore, mysqlStore } from '../src/index.ts'
import { claim, completed, connect, onEachServer, storeAt } from './fixtures.ts'
import { openProxy } from './proxy.ts'

await onEachServer(({ title, url }) => {
  test.each([false, true])(`round trips on ${title}, statements that are prepared: %s`, async (prepare) => {
    await using fixture = await storeAt(url)
    await using proxy = await openProxy(url)
    const pool = connect(proxy.url, { pool: { connectionLimit: 1 } })
    const open = () => mysqlStore({ pool, table: fixture.table, prepare })
    if (prepare) await useOften(open())
    const store = open()
    const connected = proxy.roundTrips
    await store.get('k')
    const first = proxy.roundTrips - connected

    const trips = await countRoundTrips(store, proxy)
    const before = proxy.roundTrips
    await store.transaction(async (tx) => {
      const bound = store.bind(tx)
      const { token } = await bound.begin('t', claim())
      return bound.transition('t', token, completed('z'))
    })
    const transaction = proxy.roundTrips - before
    await pool.end()

    const one = ['fresh', 'renew', 'checkpoint', 'settle', 'forget', 'park', 'release', 'get']
    const three = ['begin after a forget', 'next attempt', 'takeover', 'begin after expiry']
    const expected = (name: string) => (one.includes(name) ? 1 : three.includes(name) ? 3 : 2)
    const usual = Object.fromEntries(Object.keys(trips).map((name) => [name, expected(name)]))
    // three to open and commit it, two for how long it waits for locks, and each operation makes sure that it is still open
    expect({ trips, transaction }).toEqual({ trips: usual, transaction: 3 + 2 + 2 + 2 })
    // log in, look at server and table, and answer
    expect(first).toBeLessThanOrEqual(2 + 3 + 1)
  })
})

/** Prepares the statements of a connection. */
async function useOften(store: MysqlStore<unknown>): Promise<void> {
  for (let turn = 0; turn < 20; turn++) {
    const key = `often ${turn}`
    const { token } = await store.begin(key, claim())
    await store.transition(key, token, completed('x'))
    await store.begin(key, claim({ owner: 'two' }))
    await store.get(key)
  }
}
