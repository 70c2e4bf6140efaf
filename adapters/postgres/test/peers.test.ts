/** Defects of other libraries, by the ids under which they were catalogued: each was reproduced there, and must not be here. */
import type { BeginReply } from '@retryproof/core/store'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { services } from '../../../scripts/services.mjs'
import { migrate, postgresStore } from '../src/index.ts'
import { bytes, claim, completed, connect, freshDatabase, freshTable, HOUR_MS, storeAt } from './fixtures.ts'

const count = (replies: readonly BeginReply[], outcome: BeginReply['outcome']): number =>
  replies.filter((reply) => reply.outcome === outcome).length

for (const { title, url: server } of await services('postgres')) {
  const url = await freshDatabase(server)
  describe(`peers’ defects on ${title}`, () => {
    let fixture: Awaited<ReturnType<typeof storeAt>>
    beforeAll(async () => {
      fixture = await storeAt(url, { max: 20 })
    })
    afterAll(() => fixture.pool.end())

    test('IDJ 13: a store makes no table behind one’s back, and migrate resolves when the table is there', async () => {
      const { pool } = fixture
      const table = freshTable()
      const store = postgresStore({ pool, table })
      const exists = async () => (await pool.query('SELECT to_regclass($1) AS oid', [table])).rows[0].oid !== null
      await expect(store.begin('k', claim())).rejects.toMatchObject({ code: 'IDEMPOTENCY_STORE_MISCONFIGURED' })
      expect(await exists()).toBe(false)
      await migrate({ pool, table })
      expect(await exists()).toBe(true)
      expect(await store.begin('k', claim())).toMatchObject({ outcome: 'acquired' })
      await expect(migrate({ pool, table: `no_such_schema.${table}` })).rejects.toMatchObject({
        code: 'IDEMPOTENCY_STORE_MISCONFIGURED',
      })
    })

    test('IDJ 9: of many expired records none answers, purged or not', async () => {
      const { store } = fixture
      const keys = Array.from({ length: 40 }, (_, i) => `expired ${i}`)
      for (const key of keys) {
        const { token } = await store.begin(key, claim())
        await store.transition(key, token, { to: 'completed', result: bytes('old'), retentionMs: 0 })
      }
      for (const key of keys)
        expect(await store.begin(key, claim({ fingerprint: 'new' }))).toMatchObject({
          outcome: 'acquired',
          result: null,
        })
    })

    test('the torn lookup: of 200 callers on a pool of 10, in ten storms, one runs, and each of the others is told why not', async () => {
      const narrow = connect(url, { max: 10 })
      const store = postgresStore({ pool: narrow, table: fixture.table })
      for (let storm = 0; storm < 10; storm++) {
        const key = `storm ${storm}`
        const replies = await Promise.all(
          Array.from({ length: 200 }, async (_, i) => {
            const reply = await store.begin(key, claim({ owner: `caller ${i}` }))
            if (reply.outcome === 'acquired') await store.transition(key, reply.token, completed(`by ${i}`))
            return reply
          }),
        )
        expect(count(replies, 'acquired')).toBe(1)
        expect(count(replies, 'in_progress') + count(replies, 'settled')).toBe(199)
        const winner = replies.findIndex(({ outcome }) => outcome === 'acquired')
        for (const { result } of replies.filter(({ outcome }) => outcome === 'settled')) {
          expect(result).toEqual(bytes(`by ${winner}`))
        }
        expect(await store.begin(key, claim())).toMatchObject({
          outcome: 'settled',
          result: bytes(`by ${winner}`),
        })
      }
      await narrow.end()
    })

    test('NI 11: a record outlives a crash of the server’s, and the longest key has room', async () => {
      const { store, pool, table } = fixture
      const { rows } = await pool.query('SELECT relpersistence FROM pg_class WHERE oid = $1::regclass', [table])
      expect(rows).toEqual([{ relpersistence: 'p' }])
      const longest = `${'n'.repeat(24)}.${'o'.repeat(40)}.${'f'.repeat(64)}`
      const { token } = await store.begin(longest, claim())
      expect(await store.transition(longest, token, completed('x'))).toEqual({ outcome: 'ok', applied: true })
      expect(await store.begin(`${longest}${'x'.repeat(124)}`, claim())).toMatchObject({ outcome: 'acquired' })
    })

    test('HI 2: a key is free once its time is over: no row that nobody purged blocks it', async () => {
      const { store, pool } = fixture
      const { token } = await store.begin('blocked', claim({ leaseMs: 0, retentionMs: 0 }))
      const many = await Promise.all(
        Array.from({ length: 30 }, (_, i) => store.begin('blocked', claim({ owner: `o${i}` }))),
      )
      expect(count(many, 'acquired')).toBe(1)
      const again = many.find(({ outcome }) => outcome === 'acquired')
      expect(again).toMatchObject({ attempt: 1, interrupted: false })
      expect(again?.token).toBeGreaterThan(token)
      const { rows } = await pool.query(`SELECT count(*)::int AS rows FROM ${fixture.table} WHERE k = 'blocked'`)
      expect(rows).toEqual([{ rows: 1 }])
    })

    test('HI 3, PT 6, NI 8, IDJ 4: the slow owner’s failure, result and release leave the successor’s record alone', async () => {
      const { store } = fixture
      const slow = await store.begin('slow', claim({ leaseMs: 0 }))
      const next = await store.begin('slow', claim({ owner: 'two' }))
      await store.transition('slow', next.token, completed('next'))
      const before = await store.get('slow')
      for (const change of [
        completed('slow'),
        { to: 'failed', result: bytes('slow'), retentionMs: HOUR_MS },
        { to: 'released', delayMs: 0, retentionMs: HOUR_MS },
        { to: 'forgotten', tombstoneMs: 0 },
      ] as const) {
        const lost = await store.transition('slow', slow.token, change)
        expect(lost).toMatchObject({
          outcome: 'lost',
          current: { state: 'completed', token: next.token, result: bytes('next') },
        })
      }
      const { retentionRemainingMs, ...rest } = (await store.get('slow')) ?? {}
      expect(before).toMatchObject(rest)
    })

    test('HI 8, PT 3: whoever looks before writing decides on what is there when it writes', async () => {
      const { store } = fixture
      const { token } = await store.begin('late', claim({ leaseMs: 0 }))
      // thirty callers saw the same lapsed lease, and its holder settles meanwhile
      const [settled, ...replies] = await Promise.all([
        store.transition('late', token, completed('holder')),
        ...Array.from({ length: 30 }, (_, i) => store.begin('late', claim({ owner: `o${i}` }))),
      ])
      const takers = count(replies, 'acquired')
      expect(takers).toBe(settled.outcome === 'ok' ? 0 : 1)
      expect(await store.get('late')).toMatchObject(
        takers ? { state: 'in_progress', attempt: 2 } : { state: 'completed', token },
      )
    })
  })
}
