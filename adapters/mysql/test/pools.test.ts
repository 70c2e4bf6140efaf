/** Pools as they come: of either API, too small, ended, with connections in a state that the store must not write in. */
import { inspect } from 'node:util'
import {
  IdempotencyInvalidOptionError,
  type IdempotencyStore,
  type RecordState,
  StoreClosedError,
  StoreMisconfiguredError,
  StoreUnavailableError,
} from '@retryproof/core'
import fc from 'fast-check'
import callbacks from 'mysql2'
import type mysql from 'mysql2/promise'
import promises from 'mysql2/promise'
import { afterAll, beforeAll, describe, expect, expectTypeOf, test } from 'vitest'
import { migrate, mysqlStore } from '../src/index.ts'
import {
  claim,
  completed,
  connect,
  freshTable,
  onEachServer,
  poolThat,
  rowsOf,
  type Settings,
  storeAt,
} from './fixtures.ts'

await onEachServer(({ title, url }) =>
  describe(`pools on ${title}`, { timeout: 30_000 }, () => {
    let fixture: Awaited<ReturnType<typeof storeAt>>
    beforeAll(async () => {
      fixture = await storeAt(url)
    })
    afterAll(() => fixture.pool.end())

    async function withStore(
      settings: Settings,
      use: (store: ReturnType<typeof mysqlStore<mysql.PoolConnection>>, pool: mysql.Pool) => Promise<void>,
      timeoutMs = 10_000,
    ): Promise<void> {
      const pool = connect(url, settings)
      try {
        await use(mysqlStore({ pool, table: fixture.table, timeout: timeoutMs }), pool)
      } finally {
        await pool.end()
      }
    }

    test('a pool of the callback API does as well, and the transaction is a connection of the driver', async () => {
      const pool = callbacks.createPool({ uri: url })
      const table = freshTable()
      await migrate({ pool, table })
      const store = mysqlStore({ pool, table })
      expect(await store.begin('k', claim())).toMatchObject({ outcome: 'acquired' })
      await store.transaction(async (tx) => {
        expectTypeOf(tx).toEqualTypeOf<mysql.PoolConnection>()
        await tx.execute('SELECT ? AS one', [1])
      })
      await pool.promise().end()
      expectTypeOf(store).toExtend<IdempotencyStore<mysql.PoolConnection>>()
    })

    test('a cluster of the promise API does as well; one of the callback API is refused, which would end the process', async () => {
      const uri = { uri: url }
      const cluster = promises.createPoolCluster()
      cluster.add('one', uri)
      const store = mysqlStore({ pool: cluster.of('*'), table: fixture.table })
      expect(await store.begin('in a cluster', claim())).toMatchObject({ outcome: 'acquired' })
      await cluster.end()
      const other = callbacks.createPoolCluster()
      other.add('one', uri)
      for (const pool of [other, other.of('*')])
        expect(() => mysqlStore({ pool: pool as never })).toThrow('take createPoolCluster of mysql2/promise')
      other.end()
    })

    test('a session with SET NAMES binary, which gets text as bytes', async () => {
      const settings = { session: ['SET NAMES binary'] }
      const { pool, store } = await storeAt(url, settings)
      const { token } = await store.begin('ns.op.k', claim())
      await store.transition('ns.op.k', token, completed('x'))
      expect(await store.begin('ns.op.k', claim())).toMatchObject({ outcome: 'settled', state: 'completed' })
      for await (const record of store.list({ namespace: 'ns' })) expect(record).toMatchObject({ key: 'ns.op.k' })
      await pool.end()
    })

    test('what other drivers and ORMs have in its place is refused, and the error says what to take', async () => {
      const { store, pool } = fixture
      const answering = (answer: unknown) => ({ query: async () => answer, release() {}, destroy() {} })
      for (const answer of [undefined, [], [{ autocommit: 1 }], { affectedRows: 0 }]) {
        const connection = answering(answer)
        const other = mysqlStore({ pool: { getConnection: async () => connection as never } })
        for (const call of [() => other.get('k'), () => store.bind(connection as never).get('k')])
          await expect(call()).rejects.toThrow(StoreMisconfiguredError)
      }
      const nothing = mysqlStore({ pool: { getConnection: async () => undefined as never } })
      await expect(nothing.get('k')).rejects.toThrow(StoreMisconfiguredError)
      for (const tx of [undefined, null, {}, () => {}])
        expect(() => store.bind(tx as never)).toThrow(IdempotencyInvalidOptionError)
      const ofMysql = { getConnection: () => {}, acquireConnection: () => {} }
      expect(() => mysqlStore({ pool: ofMysql as never })).toThrow('got one of mysql')
      expect(await mysqlStore({ pool, table: fixture.table }).get('k')).toBeNull()
    })

    test('a transaction that somebody left open on a connection is not written in', async () => {
      await withStore({ pool: { connectionLimit: 1 } }, async (store, pool) => {
        await store.begin('left open', claim())
        for (const call of [
          () => store.begin('left open', claim({ owner: 'two' })),
          () => store.begin('new', claim()),
          () => store.transition('left open', 1, completed('x')),
          () => store.purge({ limit: 1 }),
          () => store.transaction(() => undefined),
        ]) {
          const careless = await pool.getConnection()
          await careless.beginTransaction()
          await careless.query(`UPDATE ${fixture.table} SET attempt = 9`)
          careless.release()
          const outcome = await call().catch((error: unknown) => error)
          // a purge that finds nothing to remove writes nothing
          if (outcome !== 0) expect(outcome).toBeInstanceOf(StoreMisconfiguredError)
          else await pool.query('ROLLBACK')
        }
        expect(await store.get('new')).toBeNull()
        expect(await store.get('left open')).toMatchObject({ state: 'in_progress', attempt: 1 })
      })
    })

    test('connections with autocommit off are refused by every operation, and nothing is changed', async () => {
      const { token } = await fixture.store.begin('autocommit', claim())
      await withStore({ session: ['SET SESSION autocommit = 0'] }, async (store) => {
        for (const call of [
          () => store.get('no record'),
          () => store.begin('off', claim()),
          () => store.transition('autocommit', token, completed('x')),
          () => store.get('autocommit'),
        ]) {
          await expect(call()).rejects.toThrow(/autocommit off/)
        }
      })
      expect(await fixture.store.get('off')).toBeNull()
      expect(await fixture.store.get('autocommit')).toMatchObject({ state: 'in_progress' })
    })

    test('a pool that has no connection to spare is waited for, but not for ever', async () => {
      const few = { pool: { connectionLimit: 1 } }
      await withStore(
        few,
        async (store, pool) => {
          await store.get('k')
          const taken = await pool.getConnection()
          const refusal = await store.begin('crowded', claim()).catch((error: unknown) => error)
          expect(refusal).toBeInstanceOf(StoreUnavailableError)
          expect(refusal).toMatchObject({ applied: 'no' })
          taken.release()
          // the connection that came too late went back
          for (let i = 0; i < 3; i++) expect(await store.begin('crowded', claim())).toMatchObject({ attempt: 1 })
        },
        100,
      )
      await withStore({ pool: { connectionLimit: 1, waitForConnections: false } }, async (store, pool) => {
        const taken = await pool.getConnection()
        await expect(store.get('k')).rejects.toMatchObject({ applied: 'no' })
        taken.release()
      })
      const ended = connect(url)
      await ended.end()
      await expect(mysqlStore({ pool: ended }).begin('k', claim())).rejects.toBeInstanceOf(StoreClosedError)
    })

    test('an error tells nothing of what was stored', async () => {
      const secret = Buffer.from('4111 1111 1111 1111')
      await withStore({ session: ['SET SESSION innodb_lock_wait_timeout = 1'] }, async (store) => {
        await store.begin('secret', claim())
        await fixture.store.transaction(async (tx) => {
          await fixture.store.bind(tx).get('secret')
          const error = await store.begin('secret', claim({ request: secret })).catch((reason: unknown) => reason)
          expect(error).toMatchObject({ code: 'IDEMPOTENCY_STORE_UNAVAILABLE', applied: 'no', cause: { errno: 1205 } })
          expect(inspect(error, { depth: null, showHidden: true })).not.toContain(secret.toString('hex'))
        })
      })
    })

    test('whatever a caller says is a value, and never SQL', async () => {
      const { store } = fixture
      await store.begin('words.op.k', claim())
      const word = fc.oneof(
        fc.string({ unit: 'binary' }),
        fc.constantFrom(
          "' OR '1'='1",
          "x'; DROP TABLE t; --",
          '\\',
          "\\'",
          '%',
          '_',
          '`',
          '?',
          ':k',
          '\0',
          '/*',
          '\u{1f4b3}',
        ),
      )
      await fc.assert(
        fc.asyncProperty(word, word, word, async (one, two, three) => {
          fc.pre([one, two, three].every((text) => text.isWellFormed() && Buffer.byteLength(text) < 256))
          const listing = store.list({ namespace: 'words', operation: two, state: three as RecordState, expired: true })
          for await (const { key } of listing) expect([two, three, key]).toEqual(['op', 'in_progress', 'words.op.k'])
          const reply = await store.begin(`word ${one}`, claim({ owner: two, fingerprint: three }))
          if (reply.outcome === 'acquired') expect(reply.fingerprint).toBe(three)
        }),
        { numRuns: 100 },
      )
      expect(await store.get('words.op.k')).toMatchObject({ state: 'in_progress', attempt: 1 })
    })

    describe('errors of the server', () => {
      /** A store on connections that fail as they are told, and else do what they are for. */
      const failing = (errorFor: (statement: string) => object | undefined) => {
        const pool = poolThat(fixture.pool, async (statement, next) => {
          const error = errorFor(statement)
          if (error) throw Object.assign(new Error('injected'), error)
          return next()
        })
        return mysqlStore({ pool, table: fixture.table })
      }
      const times = (count: number, error: object) => {
        let left = count
        return (statement: string) => (/^\n(INSERT|UPDATE)/.test(statement) && left-- > 0 ? error : undefined)
      }

      test.each([1213, 1020])('%i is sent again, and again', async (errno) => {
        const store = failing(times(5, { errno }))
        const { token, attempt } = await store.begin(`again ${errno}`, claim())
        expect(attempt).toBe(1)
        const also = failing(times(5, { errno }))
        expect(await also.transition(`again ${errno}`, token, completed('x'))).toEqual({ outcome: 'ok', applied: true })
      })

      test.each([
        [{ errno: 1213 }, 'no'],
        [{ errno: 1205 }, 'no'],
        [{ errno: 1290 }, 'no'],
        [{ errno: 1792 }, 'no'],
        [{ errno: 1836 }, 'no'],
        [{ errno: 1053 }, 'unknown'],
        [{ errno: 1317 }, 'unknown'],
        [{ code: 'ECONNRESET' }, 'unknown'],
        [{ code: 'PROTOCOL_CONNECTION_LOST' }, 'unknown'],
      ] as const)('%o, every time, leaves applied: %s', async (error, applied) => {
        const store = failing(times(Number.POSITIVE_INFINITY, error))
        await expect(store.begin('never', claim())).rejects.toMatchObject({
          code: 'IDEMPOTENCY_STORE_UNAVAILABLE',
          applied,
        })
        await expect(store.transition('never', 1, completed('x'))).rejects.toMatchObject({ applied })
        expect(await fixture.store.get('never')).toBeNull()
      })

      test.each([[1044], [1142], [1364], [1406], [1665]])('%i is for a person to set right', async (errno) => {
        const store = failing(times(Number.POSITIVE_INFINITY, { errno }))
        await expect(store.begin('never', claim())).rejects.toMatchObject({
          code: 'IDEMPOTENCY_STORE_MISCONFIGURED',
          cause: { errno },
        })
      })

      test.each([
        [{ errno: 1213 }, { code: 'IDEMPOTENCY_TRANSACTION_CONFLICT', reason: 'conflict' }],
        [{ errno: 1180 }, { code: 'IDEMPOTENCY_STORE_UNAVAILABLE', applied: 'unknown' }],
        [{ code: 'ECONNRESET' }, { code: 'IDEMPOTENCY_STORE_UNAVAILABLE', applied: 'unknown' }],
      ])('a COMMIT that is answered with %o is not sent again', async (error, expected) => {
        let commits = 0
        const store = failing((statement) => {
          if (statement !== 'COMMIT') return undefined
          commits++
          return error
        })
        const key = `commit ${inspect(error)}`
        const committing = store.transaction((tx) => store.bind(tx).begin(key, claim()))
        await expect(committing).rejects.toMatchObject(expected)
        expect(commits).toBe(1)
        // the connection was closed, which rolled back
        expect(await fixture.store.begin(key, claim({ owner: 'two' }))).toMatchObject({ attempt: 1 })
      })

      test('what was written and not answered is found by the same begin, sent again', async () => {
        let lost = false
        const pool = poolThat(fixture.pool, async (statement, next) => {
          const reply = await next()
          if (!statement.startsWith('\nINSERT') || lost) return reply
          lost = true
          throw Object.assign(new Error('lost'), { code: 'PROTOCOL_CONNECTION_LOST' })
        })
        const store = mysqlStore({ pool, table: fixture.table })
        await expect(store.begin('lost', claim())).rejects.toMatchObject({ applied: 'unknown' })
        expect(await store.begin('lost', claim())).toMatchObject({
          outcome: 'acquired',
          attempt: 1,
          interrupted: false,
        })
        const [row] = await rowsOf(fixture.pool, `SELECT COUNT(*) AS n FROM ${fixture.table} WHERE k = 'lost'`)
        expect(row?.n).toBe(1)
      })
    })
  }),
)
