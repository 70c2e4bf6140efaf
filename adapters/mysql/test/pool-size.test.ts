/** Pools that are smaller than their transactions are many, and sessions that mean different tables. */
import { runSlowTransactions } from '@retryproof/conformance/test-tools/slow-transactions'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { migrate, mysqlStore } from '../src/index.ts'
import { claim, completed, connect, freshTable, onEachServer, poolThat, rowsOf, storeAt } from './fixtures.ts'

await onEachServer(({ title, url }) =>
  describe(`transactions and tenants on ${title}`, { timeout: 60_000 }, () => {
    test.each([4, 16])('%i transactions that outlast their lease on a pool of 4: each runs once', async (count) => {
      const { store, pool } = await storeAt(url, { pool: { connectionLimit: 4 } })
      const { runs, answers } = await runSlowTransactions(store, count, (tx) => tx.query('SELECT SLEEP(2)'))
      expect(runs).toBe(count)
      expect(answers).toEqual(Array.from({ length: 2 * count }, (_, i) => `${i >> 1}`))
      await pool.end()
    })

    describe('a database for each tenant', () => {
      const admin = connect(url)
      const [one, two] = [freshTable(), freshTable()]
      beforeAll(async () => {
        for (const database of [one, two]) {
          await admin.query(`CREATE DATABASE ${database}`)
          await migrate({ pool: admin, table: `${database}.records` })
        }
      })
      afterAll(async () => {
        for (const database of [one, two]) await admin.query(`DROP DATABASE ${database}`)
        await admin.end()
      })

      test('USE does not change the table, and no key runs twice', async () => {
        const at = Object.assign(new URL(url), { pathname: `/${one}` }).href
        const pool = connect(at, { pool: { connectionLimit: 1 } })
        await pool.query(`USE ${two}`)
        // the database of the pool counts from the first call on
        const store = mysqlStore({ pool, table: 'records' })
        const { token } = await store.begin('k', claim())
        await store.transition('k', token, completed('paid'))
        await pool.query(`USE ${one}`)
        expect(await store.begin('k', claim({ owner: 'two' }))).toMatchObject({ outcome: 'settled' })
        await pool.query(`USE ${two}`)
        expect(await store.begin('k', claim({ owner: 'two' }))).toMatchObject({ outcome: 'settled' })
        await store.transaction(async (tx) => {
          expect(await store.bind(tx).begin('k', claim({ owner: 'two' }))).toMatchObject({ outcome: 'settled' })
        })
        expect(await rowsOf(admin, `SELECT k FROM ${two}.records`)).toEqual([])
        await pool.end()
      })

      test('a pool that names no database is refused where several have the table', async () => {
        const bare = poolThat(admin, (_, next) => next())
        const refusal = {
          code: 'IDEMPOTENCY_STORE_MISCONFIGURED',
          message: expect.stringContaining('Name its database'),
        }
        await expect(mysqlStore({ pool: bare, table: 'records' }).begin('k', claim())).rejects.toMatchObject(refusal)
        expect(await mysqlStore({ pool: bare, table: `${two}.records` }).begin('k', claim())).toMatchObject({
          attempt: 1,
        })
      })
    })

    test('what is no pool is refused by name', () => {
      expect(() => mysqlStore({ pool: { query() {} } as never })).toThrow(/pool: must be a pool of mysql2/)
    })
  }),
)
