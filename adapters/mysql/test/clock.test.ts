/** The clock of the store: the server's, in UTC, at the moment in which the record is held. */
import fc from 'fast-check'
import type mysql from 'mysql2/promise'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { mysqlStore } from '../src/index.ts'
import { HELD } from '../src/statements.ts'
import { claim, completed, connect, onEachServer, poolThat, rowsOf, storeAt, waitingFor } from './fixtures.ts'

const MINUTE_MS = 60_000
const QUARTER_MS = 15 * MINUTE_MS

await onEachServer(({ title, url }) =>
  describe(`the clock on ${title}`, { timeout: 30_000 }, () => {
    let fixture: Awaited<ReturnType<typeof storeAt>>
    beforeAll(async () => {
      fixture = await storeAt(url)
    })
    afterAll(() => fixture.pool.end())

    test('waits of up to 14 minutes are seen in any time zone, also when it changes meanwhile', async () => {
      const local = (ms: number) => `TIMESTAMP'${new Date(ms).toISOString().replace('T', ' ').replace('Z', '')}'`
      const moment = fc.integer({ min: Date.UTC(2020, 0), max: Date.UTC(2060, 0) })
      const offset = fc.integer({ min: -48, max: 56 }).map((quarters) => quarters * QUARTER_MS)
      // the end and the start of summer time, of half an hour on Lord Howe, a country that moves to another zone
      const change = fc.constantFrom(0, -1, 1, -2, 2).map((halves) => halves * 2 * QUARTER_MS)
      const wait = fc.integer({ min: -MINUTE_MS, max: 14 * MINUTE_MS - 1 })
      await fc.assert(
        fc.asyncProperty(moment, offset, change, wait, async (started, zone, changed, waited) => {
          const held = HELD.text
            .replaceAll('UTC_TIMESTAMP(6)', local(started))
            .replaceAll('SYSDATE(6)', local(started + zone + waited + changed))
            .replaceAll('NOW(6)', local(started + zone))
          const [row] = await rowsOf(fixture.pool, `SELECT ${held} AS held`)
          expect(Number(row?.held)).toBe((started + waited) * 1000)
        }),
        {
          examples: [
            // Europe/Berlin, 25 October 2026, 03:00 becomes 02:00 while the statement waits
            [Date.UTC(2026, 9, 25, 0, 59, 59, 900), 8 * QUARTER_MS, -4 * QUARTER_MS, 200],
            [Date.UTC(2026, 2, 29, 0, 59, 59, 900), 4 * QUARTER_MS, 4 * QUARTER_MS, 200],
          ],
        },
      )
    })

    test('sessions in different time zones agree on every lease', async () => {
      const zones = ['SYSTEM', '+00:00', '+12:45', '-12:00', '+05:45']
      const pools = zones.map((zone) => connect(url, { session: [`SET SESSION time_zone = '${zone}'`] }))
      const stores = pools.map((pool) => mysqlStore({ pool, table: fixture.table }))
      for (const [i, store] of stores.entries()) {
        const { token } = await store.begin(`zone ${i}`, claim({ leaseMs: MINUTE_MS, retentionMs: MINUTE_MS }))
        expect(Math.abs(token / 1000 - Date.now())).toBeLessThan(5_000)
        for (const other of stores) {
          const seen = await other.begin(`zone ${i}`, claim({ owner: 'two' }))
          expect(seen.outcome).toBe('in_progress')
          expect(seen.leaseRemainingMs).toBeGreaterThan(MINUTE_MS - 10_000)
          expect(seen.leaseRemainingMs).toBeLessThanOrEqual(MINUTE_MS)
        }
      }
      await Promise.all(pools.map((pool) => pool.end()))
    })

    test('a record that expires while it is read is read again: it may have been renewed in between', async () => {
      const { pool, table, store } = fixture
      let reads = 0
      const ambiguous = poolThat(pool, (statement, next) => {
        if (!/AS started,[\s\S]*AS held/.test(statement)) return next()
        reads++
        return next(
          reads === 1 ? statement.replace(/SELECT .* AS started/, 'SELECT expires_at - 1 AS started') : statement,
        )
      })
      const far = mysqlStore({ pool: ambiguous, table })
      const { token } = await store.begin('while read', claim({ leaseMs: 0, retentionMs: 0 }))
      expect(await far.get('while read')).toBeNull()
      expect(reads).toBe(2)
      reads = 0
      expect(await far.transition('while read', token, completed('x'))).toEqual({ outcome: 'lost', current: null })
      expect(reads).toBe(2)
    })

    describe.each(['SYSTEM', '+12:45'])('a statement that waits for the record, in time zone %s', (zone) => {
      let pool: mysql.Pool
      beforeAll(() => {
        pool = connect(url, { session: [`SET SESSION time_zone = '${zone}'`] })
      })
      afterAll(() => pool.end())
      const SOON_MS = 400

      /** Holds the record, sends `call`, and lets go when `SOON_MS` are over. */
      async function whileHeld<T>(key: string, call: () => Promise<T>): Promise<T> {
        let waiting: Promise<T> | undefined
        await fixture.store.transaction(async (tx) => {
          const record = await fixture.store.bind(tx).get(key)
          expect(record).not.toBeNull()
          waiting = call()
          await waitingFor(pool, fixture.table)
          await tx.query(`SELECT SLEEP(${(SOON_MS + 50) / 1000})`)
        })
        return waiting as Promise<T>
      }

      test('does not settle what expired meanwhile', async () => {
        const store = mysqlStore({ pool, table: fixture.table })
        const key = `expires ${zone}`
        const { token } = await store.begin(key, claim({ leaseMs: SOON_MS, retentionMs: 0 }))
        expect(await whileHeld(key, () => store.transition(key, token, completed('x')))).toEqual({
          outcome: 'lost',
          current: null,
        })
      })

      test('gives a whole lease when it renews', async () => {
        const store = mysqlStore({ pool, table: fixture.table })
        const key = `renews ${zone}`
        const { token } = await store.begin(key, claim())
        await store.transition(key, token, { to: 'released', delayMs: 0, retentionMs: 60_000 })
        const next = await store.begin(key, claim({ leaseMs: 0 }))
        await whileHeld(key, () => store.transition(key, next.token, { to: 'renew', leaseMs: 60_000 }))
        expect((await store.get(key))?.leaseRemainingMs).toBeGreaterThan(60_000 - SOON_MS)
      })

      test('takes over what lapsed meanwhile', async () => {
        const store = mysqlStore({ pool, table: fixture.table })
        const key = `lapses ${zone}`
        await store.begin(key, claim({ leaseMs: SOON_MS }))
        const taken = await whileHeld(key, () => store.begin(key, claim({ owner: 'two' })))
        expect(taken).toMatchObject({ outcome: 'acquired', attempt: 2, interrupted: true })
      })
    })
  }),
)
