/** Pools that are full, ended, too small for their transactions, or whose sessions mean different tables. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { runSlowTransactions } from '@retryproof/conformance/test-tools/slow-transactions'
import { createIdempotency } from '@retryproof/core'
import postgres from 'postgres'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { services } from '../../../scripts/services.mjs'
import { migrate, postgresStore } from '../src/index.ts'
import { claim, completed, connect, freshDatabase, storeAt } from './fixtures.ts'

for (const { title, url: server } of await services('postgres')) {
  const url = await freshDatabase(server)
  describe(`pools on ${title}`, { timeout: 60_000 }, () => {
    test.each([4, 16])('%i transactions that outlast their lease on a pool of 4: each runs once', async (count) => {
      const { store, pool } = await storeAt(url, { max: 4 })
      const { runs, answers } = await runSlowTransactions(store, count, (tx) => tx.query('SELECT pg_sleep(2)'))
      expect(runs).toBe(count)
      expect(answers).toEqual(Array.from({ length: 2 * count }, (_, i) => `${i >> 1}`))
      await pool.end()
    })

    test('two stores of one pool leave one connection together', async () => {
      const { store, pool, table } = await storeAt(url, { max: 3 })
      const other = postgresStore({ pool, table })
      let open = 0
      let most = 0
      const slow = async () => {
        most = Math.max(most, ++open)
        await pool.query('SELECT pg_sleep(0.05)')
        open--
      }
      await Promise.all([store, other, store, other, store].map((each) => each.transaction(slow)))
      expect(most).toBe(2)
      await pool.end()
    })

    test('a pool that others have taken whole is waited for, and no longer than `timeout`', async () => {
      const { pool, table } = await storeAt(url, { max: 1 })
      const hasty = postgresStore({ pool, table, timeout: '100ms' })
      const taken = await pool.connect()
      const refusal = { code: 'IDEMPOTENCY_STORE_UNAVAILABLE', applied: 'no' }
      await expect(hasty.begin('k', claim())).rejects.toMatchObject(refusal)
      await expect(hasty.transaction(() => 'never')).rejects.toMatchObject(refusal)
      taken.release()
      // the connections that came too late went back
      for (let i = 0; i < 3; i++) expect(await hasty.begin('k', claim())).toMatchObject({ attempt: 1 })
      await pool.end()
    })

    test('mode `single` waits for its transaction no longer than `storeTimeout`, and never runs it later', async () => {
      const { store, pool } = await storeAt(url, { max: 1 })
      await store.get('k')
      const idempotency = createIdempotency({ store, namespace: 'single', storeTimeout: '200ms' })
      const taken = await pool.connect()
      let runs = 0
      const call = { operation: 'late', scope: 'all', key: 'k' }
      const work = () => ++runs
      const late = idempotency.transaction(call, work, { mode: 'single' })
      const refusal = { code: 'IDEMPOTENCY_STORE_UNAVAILABLE', applied: 'no' }
      await expect(late).rejects.toMatchObject(refusal)
      taken.release()
      expect(await idempotency.transaction(call, work, { mode: 'single' })).toMatchObject({ value: 1, attempt: 1 })
      expect(runs).toBe(1)
      await pool.end()
    })

    test('a call that waits in a pool that is ended is told so', async () => {
      const { pool, table } = await storeAt(url, { max: 1 })
      const taken = await pool.connect()
      const late = postgresStore({ pool, table, timeout: '100ms' }).get('k')
      const ended = pool.end()
      await expect(late).rejects.toMatchObject({ code: 'IDEMPOTENCY_STORE_CLOSED' })
      taken.release()
      await ended
    })

    test('an answer that does not come within `timeout` is unknown, and its connection is closed', async () => {
      const { store, pool, table } = await storeAt(url, { max: 4 })
      const hasty = postgresStore({ pool, table, timeout: '100ms' })
      await store.transaction(async (tx) => {
        await store.bind(tx).begin('k', claim())
        const late = hasty.begin('k', claim({ owner: 'two' }))
        await expect(late).rejects.toMatchObject({ code: 'IDEMPOTENCY_STORE_UNAVAILABLE', applied: 'unknown' })
      })
      await expect.poll(() => pool.totalCount - pool.idleCount).toBe(0)
      await pool.end()
    })

    test('a pool that is ended before its last call: the process ends, and repeats nothing', async () => {
      const program = fileURLToPath(new URL('ended-pool.ts', import.meta.url))
      const child = spawn(process.execPath, ['--import', 'tsx', program, url], { stdio: ['ignore', 'pipe', 'inherit'] })
      let said = ''
      child.stdout.on('data', (text) => {
        said += text
      })
      expect(await once(child, 'exit')).toEqual([0, null])
      const { recorded, afterMs, reason } = JSON.parse(said)
      expect({ recorded, reason }).toEqual({ recorded: false, reason: expect.stringContaining('StoreClosedError') })
      expect(afterMs).toBeLessThan(2_000)
    })

    describe('a table for each tenant', () => {
      const admin = connect(url)
      beforeAll(async () => {
        await admin.query('CREATE SCHEMA one; CREATE SCHEMA two')
        await migrate({ pool: admin, table: 'one.records' })
        await migrate({ pool: admin, table: 'two.records' })
      })
      afterAll(() => admin.end())

      test('a search path that changes does not change the table, and no key runs twice', async () => {
        const pool = connect(url, { max: 1, options: '-c search_path=one' })
        const store = postgresStore({ pool, table: 'records' })
        const { token } = await store.begin('k', claim())
        await store.transition('k', token, completed('paid'))
        await pool.query('SET search_path = two')
        expect(await store.begin('k', claim({ owner: 'two' }))).toMatchObject({ outcome: 'settled' })
        await store.transaction(async (tx) => {
          expect(await store.bind(tx).begin('k', claim({ owner: 'two' }))).toMatchObject({ outcome: 'settled' })
        })
        expect((await admin.query('SELECT FROM two.records')).rowCount).toBe(0)
        await pool.end()
      })

      test('a store that first meets a changed path is refused where it could mean another table', async () => {
        const pool = connect(url, { max: 1 })
        await pool.query('SET search_path = two')
        const refusal = { code: 'IDEMPOTENCY_STORE_MISCONFIGURED', message: expect.stringContaining('Name the schema') }
        await expect(postgresStore({ pool, table: 'records' }).begin('k', claim())).rejects.toMatchObject(refusal)
        expect(await postgresStore({ pool, table: 'two.records' }).begin('k', claim())).toMatchObject({ attempt: 1 })
        // the only table of its name may be found by any path
        await migrate({ pool, table: 'single' })
        expect(await postgresStore({ pool, table: 'single' }).begin('k', claim())).toMatchObject({ attempt: 1 })
        await pool.end()
      })
    })

    test('what is no pool is refused by name', () => {
      const sql = postgres(url)
      expect(() => postgresStore({ pool: sql as never })).toThrow(/pool: must be a pg.Pool.*got postgres.js/)
      expect(() => postgresStore({ pool: undefined as never })).toThrow(/pool: must be a pg.Pool/)
      return sql.end()
    })
  })
}
