/** Begins that meet records: on MariaDB the insertion returns the record, once begins have met some. */
import fc from 'fast-check'
import type mysql from 'mysql2/promise'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type MysqlPool, mysqlStore } from '../src/index.ts'
import { createMeetings } from '../src/returning.ts'
import { claim, completed, connect, freshTable, HOUR_MS, onEachServer, rowsOf, storeAt } from './fixtures.ts'
import { openProxy } from './proxy.ts'

test('begins ask for the record that they meet when more than a third of the last ones met one', () => {
  const meetings = createMeetings()
  const after = (...met: boolean[]) => {
    for (const each of met) meetings.note(each)
    return meetings.areUsual()
  }
  expect(after()).toBe(false)
  expect(after(true, true, true)).toBe(false)
  expect(after(true)).toBe(true)
  expect(after(...Array.from({ length: 8 }, () => true))).toBe(true)
  expect(after(...Array.from({ length: 9 }, () => false))).toBe(false)
})

await onEachServer(({ title, url, version }) =>
  describe(`begins that meet records on ${title}`, { timeout: 60_000 }, () => {
    let fixture: Awaited<ReturnType<typeof storeAt>>
    beforeAll(async () => {
      fixture = await storeAt(url)
    })
    afterAll(() => fixture.pool.end())

    /** A store whose begins have met records, on a pool of one connection. */
    async function meeting(pool: mysql.Pool) {
      const store = mysqlStore({ pool, table: fixture.table })
      const key = freshTable()
      await store.begin(key, claim())
      for (let begin = 0; begin < 8; begin++) await store.begin(key, claim({ owner: 'other' }))
      return store
    }

    test('each answer is the one that a store gives whose begins are new', async () => {
      const pool = connect(url, { pool: { connectionLimit: 1 } })
      const store = await meeting(pool)
      const other = claim({ owner: 'other' })
      const { token } = await store.begin('key', claim())
      expect(token).toBeGreaterThan(0)
      expect(await store.begin('key', claim())).toMatchObject({ outcome: 'acquired', token, attempt: 1 })
      expect(await store.begin('key', other)).toMatchObject({ outcome: 'in_progress', token })
      expect(await store.begin('key', claim({ fingerprint: 'other' }))).toMatchObject({ outcome: 'mismatch', token })
      const lapsed = await store.begin('lapsed', claim({ leaseMs: 0 }))
      await store.transition('lapsed', lapsed.token, {
        to: 'renew',
        leaseMs: 0,
        checkpoint: { seq: 7, data: Buffer.from('seven') },
      })
      const taken = await store.begin('lapsed', other)
      expect(taken).toMatchObject({ outcome: 'acquired', attempt: 2, interrupted: true, checkpoint: { seq: 7 } })
      expect(Buffer.from(taken.checkpoint?.data ?? [])).toEqual(Buffer.from('seven'))
      for (const result of ['', 'a b', ' ']) {
        const key = `key of ${result}`
        const begun = await store.begin(key, claim())
        await store.transition(key, begun.token, { to: 'completed', result: Buffer.from(result), retentionMs: HOUR_MS })
        const replay = await store.begin(key, other)
        expect([replay.outcome, Buffer.from(replay.result ?? 'none').toString()]).toEqual(['settled', result])
      }
      await pool.end()
    })

    test('owners, fingerprints and results come back byte for byte', async () => {
      const pool = connect(url, { pool: { connectionLimit: 1 } })
      const store = await meeting(pool)
      const name = fc.string({ unit: 'binary', maxLength: 40 })
      let keys = 0
      await fc.assert(
        fc.asyncProperty(name, name, fc.uint8Array({ maxLength: 300 }), async (owner, fingerprint, result) => {
          const key = `bytes ${keys++}`
          const asked = claim({ owner, fingerprint })
          const { token } = await store.begin(key, asked)
          expect(await store.begin(key, claim({ owner: `${owner}.`, fingerprint }))).toMatchObject({
            outcome: 'in_progress',
            fingerprint,
          })
          expect(await store.begin(key, asked)).toMatchObject({ outcome: 'acquired', token })
          await store.transition(key, token, { to: 'completed', result, retentionMs: HOUR_MS })
          expect(await store.begin(key, claim({ fingerprint }))).toMatchObject({ outcome: 'settled', token, result })
        }),
        { numRuns: 40 },
      )
      await pool.end()
    })

    test.each(['', 'STRICT_ALL_TABLES'])(
      'a result that fills a packet of the server comes back in mode %j',
      async (mode) => {
        const pool = connect(url, { pool: { connectionLimit: 1 }, session: [`SET sql_mode = '${mode}'`] })
        const store = await meeting(pool)
        const key = freshTable()
        const { token } = await store.begin(key, claim())
        await store.transition(key, token, completed(''))
        // no text that a server joins may be longer than a packet
        const filled = `UPDATE ${fixture.table} SET result = REPEAT('x', @@max_allowed_packet - 50) WHERE k = '${key}'`
        await fixture.pool.query(filled)
        const replay = await store.begin(key, claim({ owner: 'other' }))
        const [filling] = await rowsOf(fixture.pool, 'SELECT @@max_allowed_packet - 50 AS bytes')
        expect([replay.outcome, replay.result?.length]).toEqual(['settled', filling?.bytes])
        await pool.end()
      },
    )

    test('a replay, a conflict and a mismatch take one round trip on MariaDB, and two on MySQL', async () => {
      await using proxy = await openProxy(url)
      const pool = connect(proxy.url, { pool: { connectionLimit: 1 } })
      const store = await meeting(pool)
      const begun = await store.begin('replayed', claim())
      await store.transition('replayed', begun.token, completed('result'))
      await store.begin('held', claim())
      const calls = [
        () => store.begin('replayed', claim({ owner: 'other' })),
        () => store.begin('held', claim({ owner: 'other' })),
        () => store.begin('held', claim({ fingerprint: 'other' })),
      ]
      for (const call of calls) {
        const before = proxy.roundTrips
        await call()
        expect(proxy.roundTrips - before).toBe(version.includes('MariaDB') ? 1 : 2)
      }
      await pool.end()
    })

    test('a transaction that was left open is found, and nothing is inserted', async () => {
      const pool = connect(url, { pool: { connectionLimit: 1 } })
      const store = await meeting(pool)
      const connection = await pool.getConnection()
      await connection.query('START TRANSACTION')
      connection.release()
      await expect(store.begin('left open', claim())).rejects.toThrow(/left open/)
      expect(await rowsOf(fixture.pool, `SELECT k FROM ${fixture.table} WHERE k = 'left open'`)).toEqual([])
      await pool.end()
    })

    test('an answer that is lost leaves it unknown whether the record was inserted', async () => {
      const key = Buffer.from('lost').toString('hex')
      await using proxy = await openProxy(url, (request) => (request.includes(key) ? 'lose reply' : 'pass'))
      const pool = connect(proxy.url, { pool: { connectionLimit: 1 } })
      const store = await meeting(pool)
      await expect(store.begin('lost', claim())).rejects.toMatchObject({ applied: 'unknown' })
      await pool.end()
    })

    test('a pool that somebody has wrapped is asked by way of the wrapper', async () => {
      const asked: string[] = []
      const pool = connect(url, { pool: { connectionLimit: 1 } })
      const note = (how: string) => () => {
        asked.push(how)
        return pool.getConnection()
      }
      const proxied = new Proxy(pool, {
        get: (target, name) => (name === 'getConnection' ? note('proxy') : Reflect.get(target, name)),
      })
      const spied: MysqlPool = Object.assign(Object.create(pool), { getConnection: note('own') })
      for (const given of [proxied, spied]) await mysqlStore({ pool: given, table: fixture.table }).get('wrapped')
      expect(asked).toEqual(['proxy', 'own'])
      await pool.end()
    })
  }),
)
