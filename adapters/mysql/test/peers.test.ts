/** Defects of other libraries, by the ids under which they were catalogued: each was reproduced there, and must not be here. */
import { randomBytes } from 'node:crypto'
import type { BeginReply } from '@retryproof/core/store'
import type mysql from 'mysql2/promise'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { migrate, mysqlStore } from '../src/index.ts'
import { claim, completed, connect, freshTable, HOUR_MS, onEachServer, rowsOf, storeAt } from './fixtures.ts'

await onEachServer(({ title, url }) =>
  describe(`peers’ defects on ${title}`, { timeout: 60_000 }, () => {
    let fixture: Awaited<ReturnType<typeof storeAt>>
    let narrow: mysql.Pool
    beforeAll(async () => {
      fixture = await storeAt(url)
      narrow = connect(url, { pool: { connectionLimit: 10 } })
    })
    afterAll(async () => {
      await narrow.end()
      await fixture.pool.end()
    })

    test('IDJ 13: migrate makes the table and resolves when it is there; a replay is what was stored, byte for byte', async () => {
      const table = freshTable()
      await migrate({ pool: narrow, table })
      const store = mysqlStore({ pool: narrow, table })
      for (const [key, result] of [
        ['headers', Buffer.from('{"content-type":"application/json","set-cookie":["a","b"]}')],
        ['no json', Buffer.from('[object Object]')],
        ['binary', randomBytes(4096)],
      ] as const) {
        const { token } = await store.begin(key, claim())
        await store.transition(key, token, { to: 'completed', result, retentionMs: HOUR_MS })
        const replay = await store.begin(key, claim({ owner: 'two' }))
        expect([replay.outcome, Buffer.from(replay.result ?? [])]).toEqual(['settled', result])
      }
    })

    test('IDJ 9, HI 2: an expired record answers nothing and blocks nothing, though nobody purged', async () => {
      const { store, pool, table } = fixture
      const keys = Array.from({ length: 40 }, (_, i) => `expired ${i}`)
      for (const key of keys) {
        const { token } = await store.begin(key, claim())
        await store.transition(key, token, { to: 'completed', result: Buffer.from('old'), retentionMs: 0 })
      }
      const [row] = await rowsOf(pool, `SELECT COUNT(*) AS n FROM ${table} WHERE k LIKE 'expired %'`)
      expect(row?.n).toBe(keys.length)
      for (const key of keys) {
        expect(await store.get(key)).toBeNull()
        const begun = await store.begin(key, claim({ owner: 'two', fingerprint: 'new' }))
        expect(begun).toMatchObject({ outcome: 'acquired', attempt: 1, interrupted: false, result: null })
      }
    })

    test('IDJ (f): of 200 callers on a pool of 10, in ten storms, one runs, and each of the others is told why not', async () => {
      const store = mysqlStore({ pool: narrow, table: fixture.table })
      for (let storm = 0; storm < 10; storm++) {
        const key = `storm ${storm}`
        const replies = await Promise.all(
          Array.from({ length: 200 }, async (_, i): Promise<BeginReply> => {
            const reply = await store.begin(key, claim({ owner: `caller ${i}` }))
            if (reply.outcome === 'acquired') await store.transition(key, reply.token, completed(`by ${i}`))
            return reply
          }),
        )
        const winner = replies.findIndex(({ outcome }) => outcome === 'acquired')
        expect(replies.filter(({ outcome }) => outcome === 'acquired')).toHaveLength(1)
        for (const { outcome, token, result } of replies) {
          expect(token).toBe(replies[winner]?.token)
          if (outcome === 'settled') expect(String(Buffer.from(result ?? []))).toBe(`by ${winner}`)
          else expect(['acquired', 'in_progress']).toContain(outcome)
        }
      }
    })

    test('IDJ 4: who was taken over does not write over its successor', async () => {
      const { store } = fixture
      const zombie = await store.begin('fenced', claim({ leaseMs: 0 }))
      const { token } = await store.begin('fenced', claim({ owner: 'two' }))
      expect(await store.transition('fenced', zombie.token, completed('old'))).toMatchObject({ outcome: 'lost' })
      await store.transition('fenced', token, completed('new'))
      expect(await store.transition('fenced', zombie.token, completed('old'))).toMatchObject({
        outcome: 'lost',
        current: { token, result: new Uint8Array(Buffer.from('new')) },
      })
    })

    test('IDJ 5: a begin that took effect and is sent again is the same begin', async () => {
      const { store } = fixture
      const first = await store.begin('again', claim())
      expect(await store.begin('again', claim())).toMatchObject({ outcome: 'acquired', token: first.token, attempt: 1 })
    })

    test('IDJ 2: two operations with one payload do not know of each other', async () => {
      const { store } = fixture
      expect(await store.begin('orders.create.a', claim())).toMatchObject({ outcome: 'acquired' })
      expect(await store.begin('orders.create.b', claim({ owner: 'two' }))).toMatchObject({ outcome: 'acquired' })
    })
  }),
)
