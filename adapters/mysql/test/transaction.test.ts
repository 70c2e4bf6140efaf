/** Records and business writes that commit together, on an open transaction of the store or of the caller. */

import {
  createIdempotency,
  IdempotencyInvalidOptionError,
  StoreUnavailableError,
  TransactionConflictError,
  unscoped,
} from '@retryproof/core'
import type { BeginReply } from '@retryproof/core/store'
import fc from 'fast-check'
import callbacks from 'mysql2'
import type mysql from 'mysql2/promise'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { mysqlStore } from '../src/index.ts'
import {
  claim,
  completed,
  connect,
  freshTable,
  HOUR_MS,
  onEachServer,
  rowsOf,
  storeAt,
  waitingFor,
} from './fixtures.ts'
import { openProxy } from './proxy.ts'

const release = { to: 'released', delayMs: 0, retentionMs: HOUR_MS } as const

await onEachServer(({ title, url, version }) =>
  describe(`transactions on ${title}`, { timeout: 60_000 }, () => {
    let fixture: Awaited<ReturnType<typeof storeAt>>
    let effects: string
    let key = 'key'
    beforeAll(async () => {
      fixture = await storeAt(url)
      effects = freshTable()
      await fixture.pool.query(`CREATE TABLE ${effects} (k VARCHAR(64), n INT) ENGINE = InnoDB`)
      await fixture.pool.query(`CREATE TABLE ${effects}_locks (id INT PRIMARY KEY) ENGINE = InnoDB`)
      await fixture.pool.query(`INSERT INTO ${effects}_locks VALUES (1), (2)`)
    })
    beforeEach(({ task }) => {
      key = task.id
    })
    afterAll(async () => {
      await fixture.pool.query(`DROP TABLE ${effects}, ${effects}_locks, ${fixture.table}`)
      await fixture.pool.end()
    })

    const lock = (tx: mysql.PoolConnection, id: number) =>
      tx.query(`SELECT * FROM ${effects}_locks WHERE id = ${id} FOR UPDATE`)
    const effect = (tx: Pick<mysql.Pool, 'query'>, n = 1) => tx.query(`INSERT INTO ${effects} VALUES ('${key}', ${n})`)
    const countEffects = async () =>
      (await rowsOf(fixture.pool, `SELECT COUNT(*) AS n FROM ${effects} WHERE k = '${key}'`))[0]?.n

    test('what a handler gives its `tx` to cannot release it: a write of another request on the pool stays', async () => {
      const { store, pool } = fixture
      const bystander = freshTable()
      await pool.query(`CREATE TABLE ${bystander} (n INT) ENGINE = InnoDB`)
      const failing = store.transaction(async (tx) => {
        await tx.query(`INSERT INTO ${bystander} VALUES (1)`)
        tx.release()
        await pool.query(`INSERT INTO ${bystander} VALUES (2)`)
        throw new Error('business says no')
      })
      await expect(failing).rejects.toThrow('business says no')
      expect(await rowsOf(pool, `SELECT n FROM ${bystander}`)).toEqual([{ n: 2 }])
      await pool.query(`DROP TABLE ${bystander}`)
    })

    test('it reads what others commit, whatever the pool’s default is', async () => {
      const pool = connect(url, { session: ['SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE'] })
      const store = mysqlStore({ pool, table: fixture.table })
      const seen = await store.transaction(async (tx) => {
        const before = await rowsOf(tx, `SELECT COUNT(*) AS n FROM ${effects} WHERE k = '${key}'`)
        await effect(fixture.pool)
        return [...before, ...(await rowsOf(tx, `SELECT COUNT(*) AS n FROM ${effects} WHERE k = '${key}'`))]
      })
      await pool.end()
      expect(seen).toEqual([{ n: 0 }, { n: 1 }])
    })

    test('what `work` throws comes back as it is, and the connection is whole again', async () => {
      const pool = connect(url, { pool: { connectionLimit: 1 } })
      const store = mysqlStore({ pool, table: fixture.table })
      const failure = new Error('no money')
      const [session] = await rowsOf(pool, 'SELECT CONNECTION_ID() AS id')
      await expect(
        store.transaction(async (tx) => {
          await effect(tx)
          throw failure
        }),
      ).rejects.toBe(failure)
      expect(await rowsOf(pool, 'SELECT CONNECTION_ID() AS id')).toEqual([session])
      expect(await countEffects()).toBe(0)
      await pool.end()
    })

    // MariaDB has it on from 11.6
    const mixed = version.includes('MariaDB') ? ['SET SESSION innodb_snapshot_isolation = OFF'] : []

    describe.each(['READ COMMITTED', 'REPEATABLE READ', 'SERIALIZABLE'])(
      'a transaction of the caller at %s',
      (level) => {
        test('which began before the record did sees the record', async () => {
          const pool = connect(url, { session: [`SET SESSION TRANSACTION ISOLATION LEVEL ${level}`, ...mixed] })
          const tx = await pool.getConnection()
          await tx.beginTransaction()
          // fixes the snapshot, where there is one
          await tx.query(`SELECT COUNT(*) FROM ${effects} WHERE k = 'nothing'`)
          const { token } = await fixture.store.begin(key, claim())
          const bound = fixture.store.bind(tx)
          expect(await bound.get(key)).toMatchObject({ token, state: 'in_progress' })
          expect(await bound.begin(key, claim({ owner: 'two' }))).toMatchObject({ outcome: 'in_progress', token })
          expect(await bound.transition(key, token - 1, completed('x'))).toMatchObject({ outcome: 'lost' })
          expect(await bound.transition(key, token, completed('x'))).toEqual({ outcome: 'ok', applied: true })
          await tx.commit()
          tx.release()
          await pool.end()
          expect(await fixture.store.get(key)).toMatchObject({ state: 'completed' })
        })
      },
    )

    test.runIf(version.includes('MariaDB'))(
      'with innodb_snapshot_isolation a snapshot that is out of date is a conflict, and never an answer',
      async () => {
        const session = ['SET SESSION innodb_snapshot_isolation = ON']
        const pool = connect(url, { session })
        const { token } = await fixture.store.begin(key, claim())
        const tx = await pool.getConnection()
        await tx.beginTransaction()
        await tx.query(`SELECT * FROM ${fixture.table} WHERE k = 'nothing'`)
        await fixture.store.transition(key, token, release)
        await expect(fixture.store.bind(tx).transition(key, token, completed('x'))).rejects.toMatchObject({
          code: 'IDEMPOTENCY_TRANSACTION_CONFLICT',
          reason: 'conflict',
        })
        await tx.rollback()
        tx.release()
        await pool.end()
      },
    )

    test('a connection of the callback API can be bound, and `table` may name its database', async () => {
      const pool = callbacks.createPool({ uri: url, connectionLimit: 2 })
      const [database] = await rowsOf(fixture.pool, 'SELECT DATABASE() AS name')
      const store = mysqlStore({ pool, table: `${database?.name}.${fixture.table}` })
      const tx = await new Promise<callbacks.PoolConnection>((resolve, reject) => {
        pool.getConnection((error, connection) => (error ? reject(error) : resolve(connection)))
      })
      await tx.promise().beginTransaction()
      const { token } = await store.bind(tx).begin(key, claim())
      await store.bind(tx).transition(key, token, completed('x'))
      await tx.promise().commit()
      tx.release()
      expect(await store.begin(key, claim({ owner: 'two' }))).toMatchObject({ outcome: 'settled', token })
      const committed = await store.transaction(async (own) => {
        await effect(own)
        return 'done'
      })
      expect([committed, await countEffects()]).toEqual(['done', 1])
      await pool.promise().end()
    })

    test('a connection on which no transaction is open is refused before anything is written', async () => {
      const connection = await fixture.pool.getConnection()
      const bound = fixture.store.bind(connection)
      await expect(bound.begin(key, claim())).rejects.toThrow(IdempotencyInvalidOptionError)
      await expect(bound.transition(key, 1, release)).rejects.toThrow(/tx: no transaction is open/)
      connection.release()
      expect(await fixture.store.get(key)).toBeNull()
    })

    test('C-18 a deadlock in a statement of the caller is a conflict, and what it wraps makes no difference', async () => {
      const both = meeting(2)
      const cross = (first: number, second: number) =>
        fixture.store.transaction(async (tx) => {
          await effect(tx)
          await lock(tx, first)
          await both()
          await lock(tx, second).catch((cause) => {
            throw new Error('the query failed', { cause })
          })
        })
      const outcomes = await Promise.allSettled([cross(1, 2), cross(2, 1)])
      const [failed] = outcomes.filter((outcome) => outcome.status === 'rejected')
      expect(failed?.reason).toBeInstanceOf(TransactionConflictError)
      expect(failed?.reason).toMatchObject({ reason: 'conflict' })
      expect(await countEffects()).toBe(1)
    })

    test('a deadlock that `work` has caught does not let the record be settled without its write', async () => {
      const both = meeting(2)
      const keys = [`${key} 1`, `${key} 2`] as const
      const careless = async (own: string, first: number, second: number) => {
        const { token } = await fixture.store.begin(own, claim())
        return fixture.store.transaction(async (tx) => {
          await effect(tx, first)
          await lock(tx, first)
          await both()
          await lock(tx, second).catch(() => {})
          return fixture.store.bind(tx).transition(own, token, completed('x'))
        })
      }
      const outcomes = await Promise.allSettled([careless(keys[0], 1, 2), careless(keys[1], 2, 1)])
      expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
      expect(await countEffects()).toBe(1)
      const states = await Promise.all(keys.map(async (own) => (await fixture.store.get(own))?.state))
      expect(states.sort()).toEqual(['completed', 'in_progress'])
    })

    /** A transaction of another session holds the key, while `test` runs. */
    async function whileHeld(test: () => Promise<void>): Promise<void> {
      const holder = await fixture.pool.getConnection()
      await holder.beginTransaction()
      await fixture.store.bind(holder).begin(key, claim())
      await test()
      await holder.rollback()
      holder.release()
    }

    test('a wait for another transaction ends with the lock time-out, and nothing stays behind', async () => {
      const pool = connect(url, { pool: { connectionLimit: 1 }, session: ['SET SESSION innodb_lock_wait_timeout = 7'] })
      const store = mysqlStore({ pool, table: fixture.table, lockTimeout: 300 })
      const seconds = async (session: Pick<mysql.Pool, 'query'>) =>
        (await rowsOf(session, 'SELECT @@innodb_lock_wait_timeout AS seconds'))[0]?.seconds
      const within: unknown[] = []
      await whileHeld(async () => {
        const startedAt = performance.now()
        const blocked = store.transaction(async (tx) => {
          within.push(await seconds(tx))
          await effect(tx)
          await store.bind(tx).begin(key, claim({ owner: 'two' }))
        })
        await expect(blocked).rejects.toMatchObject({
          code: 'IDEMPOTENCY_TRANSACTION_CONFLICT',
          reason: 'lock-timeout',
        })
        expect(performance.now() - startedAt).toBeLessThan(6_000)
      })
      expect(await countEffects()).toBe(0)
      await store.transaction(async (tx) => {
        within.push(await seconds(tx))
      })
      // whole seconds; and the session is as the pool had it, after a rollback and after a commit
      expect([...within, await seconds(pool)]).toEqual([1, 1, 7])
      expect(await store.begin(key, claim({ owner: 'two' }))).toMatchObject({ outcome: 'acquired' })
      await pool.end()
    })

    test('a duplicate in mode `single` is told within the lock time-out that its key is in progress', async () => {
      const store = mysqlStore({ pool: fixture.pool, table: fixture.table, lockTimeout: 1_000 })
      const idempotency = createIdempotency({ store, namespace: 'shop' })
      const call = { operation: 'pay', scope: unscoped, key, payload: 1 } as const
      const startedAt = performance.now()
      await idempotency.transaction(
        call,
        async (tx) => {
          await effect(tx)
          const duplicate = idempotency.transaction(call, (other) => effect(other), { mode: 'single' })
          await expect(duplicate).rejects.toMatchObject({ code: 'IDEMPOTENCY_IN_PROGRESS' })
        },
        { mode: 'single' },
      )
      expect(performance.now() - startedAt).toBeLessThan(6_000)
      expect(await countEffects()).toBe(1)
    })

    test('in a transaction of the caller, its session says how long it waits', () =>
      whileHeld(async () => {
        const pool = connect(url, { session: ['SET SESSION innodb_lock_wait_timeout = 1'] })
        const store = mysqlStore({ pool, table: fixture.table })
        const tx = await pool.getConnection()
        await tx.beginTransaction()
        await effect(tx)
        await expect(store.bind(tx).begin(key, claim({ owner: 'two' }))).rejects.toMatchObject({
          code: 'IDEMPOTENCY_TRANSACTION_CONFLICT',
          reason: 'lock-timeout',
        })
        await tx.rollback()
        tx.release()
        // outside of transactions the server's own bound holds, too
        await expect(store.begin(key, claim({ owner: 'two' }))).rejects.toMatchObject({ applied: 'no' })
        await pool.end()
        expect(await countEffects()).toBe(0)
      }))

    describe('the answer to COMMIT is lost, and the server has not seen it yet', () => {
      /** Leaves a transaction of `work` open behind a proxy, with its COMMIT on the way. */
      async function commitLost(work: (store: typeof fixture.store, tx: mysql.PoolConnection) => Promise<unknown>) {
        const proxy = await openProxy(url, (request) =>
          request.includes('COMMIT') && !request.includes('ISO') ? 'hold' : 'pass',
        )
        const pool = connect(proxy.url)
        const store = mysqlStore({ pool, table: fixture.table })
        const error = await store.transaction((tx) => work(store, tx)).catch((reason: unknown) => reason)
        expect(error).toBeInstanceOf(StoreUnavailableError)
        expect(error).toMatchObject({ applied: 'unknown' })
        await pool.end()
        return proxy
      }

      test('fenced: a release waits for it, and then says that it committed', async () => {
        const { token } = await fixture.store.begin(key, claim())
        await using proxy = await commitLost(async (store, tx) => {
          await effect(tx)
          return store.bind(tx).transition(key, token, completed('x'))
        })
        const decided = fixture.store.transition(key, token, release)
        await waitingFor(fixture.pool, fixture.table)
        proxy.release()
        expect(await decided).toMatchObject({ outcome: 'lost', current: { token, state: 'completed' } })
        expect(await countEffects()).toBe(1)
      })

      test('fenced: or it is released, and the transaction can never commit', async () => {
        const { token } = await fixture.store.begin(key, claim())
        {
          await using _ = await commitLost(async (store, tx) => {
            await effect(tx)
            return store.bind(tx).transition(key, token, completed('x'))
          })
        }
        expect(await fixture.store.transition(key, token, release)).toEqual({ outcome: 'ok', applied: true })
        expect(await fixture.store.begin(key, claim({ owner: 'two' }))).toMatchObject({
          attempt: 2,
          interrupted: false,
        })
        expect(await countEffects()).toBe(0)
      })

      test('single: a begin with the same owner waits for it', async () => {
        let begun: BeginReply | undefined
        const inOne = async (store: typeof fixture.store, tx: mysql.PoolConnection) => {
          const bound = store.bind(tx)
          begun = await bound.begin(key, claim())
          await effect(tx)
          await bound.transition(key, begun.token, completed('x'))
        }
        await using proxy = await commitLost(inOne)
        const decided = fixture.store.begin(key, claim())
        await waitingFor(fixture.pool, fixture.table)
        proxy.release()
        expect(await decided).toMatchObject({ outcome: 'settled', token: begun?.token })
        expect(await countEffects()).toBe(1)
      })
    })

    test('random transactions on few keys: each key has one effect, and its record says which', async () => {
      const pool = connect(url, { pool: { connectionLimit: 32 } })
      const store = mysqlStore({ pool, table: fixture.table })
      const plan = fc.array(fc.record({ key: fc.nat(7), fails: fc.boolean(), single: fc.boolean() }), {
        minLength: 64,
        maxLength: 64,
        size: 'max',
      })
      let round = 0
      await fc.assert(
        fc.asyncProperty(plan, async (calls) => {
          const prefix = `${key} ${round++}`
          await Promise.all(
            calls.map(async ({ key: n, fails, single }, call) => {
              const own = `${prefix} ${n}`
              const asked = claim({ owner: `owner ${call}` })
              const outside = single ? undefined : await store.begin(own, asked)
              if (outside && outside.outcome !== 'acquired') return
              await store
                .transaction(async (tx) => {
                  const bound = store.bind(tx)
                  const begun = outside ?? (await bound.begin(own, asked))
                  if (begun.outcome !== 'acquired') return
                  await tx.query(`INSERT INTO ${effects} VALUES ('${own}', ${call})`)
                  if (fails) throw new Error('rolled back')
                  const settled = await bound.transition(own, begun.token, completed(String(call)))
                  if (settled.outcome !== 'ok' || !settled.applied) throw new Error('not mine')
                })
                .catch((error) => {
                  const isExpected = error instanceof TransactionConflictError || error.message === 'rolled back'
                  if (!isExpected) throw error
                })
              if (outside) await store.transition(own, outside.token, release)
            }),
          )
          const written = await rowsOf(pool, `SELECT k, n FROM ${effects} WHERE k LIKE '${prefix} %'`)
          const byKey = new Map(written.map(({ k, n }) => [k, String(n)]))
          expect(byKey.size).toBe(written.length)
          for (let n = 0; n < 8; n++) {
            const own = `${prefix} ${n}`
            const record = await store.get(own)
            const result = record?.state === 'completed' ? String(Buffer.from(record.result ?? [])) : undefined
            expect(result).toBe(byKey.get(own))
          }
        }),
        { numRuns: 15 },
      )
      await pool.end()
    })
  }),
)

/** Resolves for everybody when the last of `count` has come. */
function meeting(count: number): () => Promise<void> {
  let missing = count
  let complete = () => {}
  const all = new Promise<void>((resolve) => {
    complete = resolve
  })
  return () => {
    missing--
    if (missing === 0) complete()
    return all
  }
}
