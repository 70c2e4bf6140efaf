/** Records in transactions of the caller: commit, rollback, an unknown end, and who waits for whom. */
import { StoreUnavailableError, UnsupportedIsolationError } from '@retryproof/core'
import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, expectTypeOf, test } from 'vitest'
import { services } from '../../../scripts/services.mjs'
import { postgresStore } from '../src/index.ts'
import {
  bytes,
  claim,
  completed,
  connect,
  freshDatabase,
  freshTable,
  HOUR_MS,
  someoneWaits,
  storeAt,
} from './fixtures.ts'
import { openProxy } from './proxy.ts'

function gate() {
  let open = () => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { opened, open }
}

for (const { title, url: server } of await services('postgres')) {
  const url = await freshDatabase(server)
  describe(`transactions on ${title}`, () => {
    let fixture: Awaited<ReturnType<typeof storeAt>>
    const ledger = 'ledger'
    beforeAll(async () => {
      fixture = await storeAt(url)
      await fixture.pool.query(
        `CREATE TABLE ${ledger} (id text PRIMARY KEY, parent text REFERENCES ${ledger} DEFERRABLE INITIALLY DEFERRED)`,
      )
    })
    afterAll(() => fixture.pool.end())

    test('a transaction is a client of the pool, with its own type', () => {
      expectTypeOf(fixture.store.transaction).parameter(0).parameter(0).toExtend<pg.PoolClient>()
    })

    test('the settle that is sent again waits for the first one’s transaction: committed, it changes nothing', async () => {
      const { store, pool, table } = fixture
      const { token } = await store.begin('committed', claim())
      const [decided, settled] = [gate(), gate()]
      const first = store.transaction(async (tx) => {
        expect(await store.bind(tx).transition('committed', token, completed('first'))).toEqual({
          outcome: 'ok',
          applied: true,
        })
        settled.open()
        await decided.opened
      })
      await settled.opened
      const second = store.transition('committed', token, completed('second'))
      await someoneWaits(pool, table)
      decided.open()
      await first
      expect(await second).toEqual({ outcome: 'ok', applied: false })
      expect(await store.get('committed')).toMatchObject({ state: 'completed', result: bytes('first') })
    })

    test('the settle that is sent again waits for the first one’s transaction: rolled back, it is the one', async () => {
      const { store, pool, table } = fixture
      const { token } = await store.begin('rolled back', claim())
      const [decided, settled] = [gate(), gate()]
      const first = store.transaction(async (tx) => {
        await store.bind(tx).transition('rolled back', token, completed('first'))
        settled.open()
        await decided.opened
        throw new Error('business says no')
      })
      await settled.opened
      const second = store.transition('rolled back', token, completed('second'))
      await someoneWaits(pool, table)
      decided.open()
      await expect(first).rejects.toThrow('business says no')
      expect(await second).toEqual({ outcome: 'ok', applied: true })
      expect(await store.get('rolled back')).toMatchObject({ state: 'completed', result: bytes('second') })
    })

    test.each(['REPEATABLE READ', 'SERIALIZABLE'])('%s is refused, and the caller rolls back', async (isolation) => {
      const { store, pool } = fixture
      const key = `isolation ${isolation}`
      const client = await pool.connect()
      try {
        await client.query(`BEGIN ISOLATION LEVEL ${isolation}`)
        await client.query('SELECT 1')
        const { token } = await store.begin(key, claim())
        const bound = store.bind(client)
        // the snapshot is older than the record: an answer would say that it does not exist
        await expect(bound.get(key)).rejects.toThrow(UnsupportedIsolationError)
        await expect(bound.transition(key, token, completed('x'))).rejects.toThrow(/READ COMMITTED/)
        await client.query('ROLLBACK')
        await client.query(`BEGIN ISOLATION LEVEL ${isolation}`)
        await client.query('SELECT 1')
        await store.transition(key, token, { to: 'renew', leaseMs: 2 * HOUR_MS })
        // the server refuses this one itself, as a conflict
        await expect(bound.transition(key, token, completed('x'))).rejects.toThrow(UnsupportedIsolationError)
        await client.query('ROLLBACK')
        expect(await store.get(key)).toMatchObject({ state: 'in_progress', token })
      } finally {
        client.release()
      }
    })

    test('what a handler gives its `tx` to cannot release it: a write of another request on the pool stays', async () => {
      const { store, pool } = fixture
      const bystander = freshTable()
      await pool.query(`CREATE TABLE ${bystander} (n int)`)
      const failing = store.transaction(async (tx) => {
        await tx.query(`INSERT INTO ${bystander} VALUES (1)`)
        tx.release()
        await pool.query(`INSERT INTO ${bystander} VALUES (2)`)
        throw new Error('business says no')
      })
      await expect(failing).rejects.toThrow('business says no')
      expect((await pool.query(`SELECT n FROM ${bystander}`)).rows).toEqual([{ n: 2 }])
      expect(pool.idleCount).toBe(pool.totalCount)
      await pool.query(`DROP TABLE ${bystander}`)
    })

    test('bound to a client on which no transaction is open, nothing is written', async () => {
      const { store, pool } = fixture
      const client = await pool.connect()
      const bound = store.bind(client)
      await expect(bound.begin('not in a transaction', claim())).rejects.toMatchObject({
        code: 'IDEMPOTENCY_STORE_UNAVAILABLE',
        applied: 'no',
      })
      client.release()
      expect(await store.get('not in a transaction')).toBeNull()
    })

    test('C-18 a deadlock rolls one of two transactions back, and is no matter of isolation', async () => {
      const { store } = fixture
      const [a, b] = await Promise.all([store.begin('deadlock a', claim()), store.begin('deadlock b', claim())])
      const [hasA, hasB] = [gate(), gate()]
      const settleBoth = (keys: readonly [string, number][], mine: typeof hasA, other: typeof hasA) =>
        store.transaction(async (tx) => {
          for (const [key, token] of keys) {
            await store.bind(tx).transition(key, token, completed('x'))
            mine.open()
            await other.opened
          }
        })
      const keys: [string, number][] = [
        ['deadlock a', a.token],
        ['deadlock b', b.token],
      ]
      const ends = await Promise.allSettled([settleBoth(keys, hasA, hasB), settleBoth(keys.toReversed(), hasB, hasA)])
      expect(ends.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected'])
      const failed = ends.find((end) => end.status === 'rejected')
      expect(failed?.reason).toMatchObject({ code: 'IDEMPOTENCY_TRANSACTION_CONFLICT', reason: 'conflict' })
    })

    test('a conflict of the caller’s own statements is one of the transaction', async () => {
      const { store, pool } = fixture
      await pool.query(`INSERT INTO ${ledger} VALUES ('contended')`)
      const update = `UPDATE ${ledger} SET parent = NULL WHERE id = 'contended'`
      const hasty = postgresStore({ pool, table: fixture.table, lockTimeout: 50 })
      await store.transaction(async (tx) => {
        await tx.query(update)
        const blocked = hasty.transaction((other) => other.query(update))
        await expect(blocked).rejects.toMatchObject({
          code: 'IDEMPOTENCY_TRANSACTION_CONFLICT',
          reason: 'lock-timeout',
        })
        // an error that something of the caller’s has wrapped
        const wrapped = hasty.transaction((other) =>
          other.query(update).catch((cause: unknown) => {
            throw new Error('no luck', { cause })
          }),
        )
        await expect(wrapped).rejects.toMatchObject({
          code: 'IDEMPOTENCY_TRANSACTION_CONFLICT',
          reason: 'lock-timeout',
        })
      })
    })

    test('a duplicate in one transaction waits for the other, as long as it may', async () => {
      const { store, pool, table } = fixture
      const hasty = postgresStore({ pool, table, lockTimeout: 50 })
      await store.transaction(async (tx) => {
        await store.bind(tx).begin('single', claim())
        const duplicate = hasty.transaction((other) => hasty.bind(other).begin('single', claim({ owner: 'two' })))
        await expect(duplicate).rejects.toMatchObject({
          code: 'IDEMPOTENCY_TRANSACTION_CONFLICT',
          reason: 'lock-timeout',
        })
      })
      expect(await store.begin('single', claim({ owner: 'two' }))).toMatchObject({ outcome: 'in_progress' })
    })

    test('a transaction in which a statement failed does not pass for committed', async () => {
      const { store } = fixture
      const { token } = await store.begin('swallowed', claim())
      const outcome = store.transaction(async (tx) => {
        await store.bind(tx).transition('swallowed', token, completed('x'))
        await tx.query('SELECT 1 / 0').catch(() => {})
        return 'done'
      })
      await expect(outcome).rejects.toMatchObject({ code: 'IDEMPOTENCY_STORE_UNAVAILABLE', applied: 'no' })
      expect(await store.get('swallowed')).toMatchObject({ state: 'in_progress', token })
    })

    test('what the caller’s own deferred constraint says at COMMIT reaches the caller as it is', async () => {
      const { store } = fixture
      const { token } = await store.begin('deferred', claim())
      const outcome = store.transaction(async (tx) => {
        await store.bind(tx).transition('deferred', token, completed('x'))
        await tx.query(`INSERT INTO ${ledger} VALUES ('child', 'no such parent')`)
      })
      await expect(outcome).rejects.toMatchObject({ code: '23503' })
      expect(await store.get('deferred')).toMatchObject({ state: 'in_progress', token })
    })

    test('a connection that dies while the work does something else ends neither the process nor the pool', async () => {
      const { store, pool } = fixture
      const { token } = await store.begin('killed', claim())
      const outcome = store.transaction(async (tx) => {
        await store.bind(tx).transition('killed', token, completed('x'))
        const { rows } = await tx.query('SELECT pg_backend_pid() AS pid')
        const died = new Promise((resolve) => tx.once('error', resolve))
        await pool.query('SELECT pg_terminate_backend($1)', [rows[0].pid])
        await died
      })
      // the COMMIT never left
      await expect(outcome).rejects.toMatchObject({ code: 'IDEMPOTENCY_STORE_UNAVAILABLE', applied: 'no' })
      expect(await store.get('killed')).toMatchObject({ state: 'in_progress', token })
    })

    test('after a bound settle the COMMIT waits for the disk, whatever the session says', async () => {
      const { store, pool } = fixture
      const { token } = await store.begin('durable', claim())
      const client = await pool.connect()
      await client.query('SET synchronous_commit = off; BEGIN')
      await store.bind(client).transition('durable', token, completed('x'))
      expect((await client.query('SHOW synchronous_commit')).rows).toEqual([{ synchronous_commit: 'on' }])
      await client.query('COMMIT')
      expect((await client.query('SHOW synchronous_commit')).rows).toEqual([{ synchronous_commit: 'off' }])
      await client.query("BEGIN; SET LOCAL synchronous_commit = 'remote_apply'")
      await store.bind(client).get('durable')
      expect((await client.query('SHOW synchronous_commit')).rows).toEqual([{ synchronous_commit: 'remote_apply' }])
      await client.query('ROLLBACK')
      client.release(true)
    })

    describe('a COMMIT whose answer is lost is unknown, and `released` with the same token finds out', () => {
      test.each([
        ['the server did it', 'lose reply', 'committed'],
        ['the server never saw it', 'lose request', 'rolled back'],
        ['it arrives late', 'hold', 'committed'],
      ] as const)('%s', async (_, fate, end) => {
        const { store, pool, table } = fixture
        const key = `commit, ${fate}`
        const { token } = await store.begin(key, claim())
        const proxy = await openProxy(url, (request) => (request.includes('COMMIT\0') ? fate : 'pass'))
        const far = connect(proxy.url)
        const distant = postgresStore({ pool: far, table })
        try {
          const outcome = distant.transaction(async (tx) => {
            await tx.query(`INSERT INTO ${ledger} VALUES ($1)`, [key])
            await distant.bind(tx).transition(key, token, completed('x'))
          })
          const error = await outcome.catch((reason: unknown) => reason)
          expect(error).toBeInstanceOf(StoreUnavailableError)
          expect(error).toMatchObject({ applied: 'unknown' })

          const asked = store.transition(key, token, { to: 'released', delayMs: 0, retentionMs: HOUR_MS })
          if (fate === 'hold') {
            await someoneWaits(pool, table)
            proxy.release()
          }
          const answer = await asked
          const written = (await pool.query(`DELETE FROM ${ledger} WHERE id = $1`, [key])).rowCount
          if (end === 'committed') {
            expect(answer).toMatchObject({ outcome: 'lost', current: { state: 'completed', token } })
            expect(written).toBe(1)
          } else {
            expect(answer).toEqual({ outcome: 'ok', applied: true })
            expect(written).toBe(0)
          }
        } finally {
          await proxy.close()
          await far.end()
        }
      })
    })
  })
}
