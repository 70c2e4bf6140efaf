/** An operation of several statements, and what others do between them. */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { mysqlStore } from '../src/index.ts'
import { claim, completed, HOUR_MS, onEachServer, poolThat, storeAt } from './fixtures.ts'

await onEachServer(({ title, url }) =>
  describe(`between the statements of an operation on ${title}`, { timeout: 30_000 }, () => {
    let fixture: Awaited<ReturnType<typeof storeAt>>
    let key = ''
    beforeAll(async () => {
      fixture = await storeAt(url)
    })
    beforeEach(({ task }) => {
      key = task.id
    })
    afterAll(() => fixture.pool.end())

    /** A store that lets `others` act once, just before it sends a statement of that kind. */
    function storeBefore(kind: 'INSERT' | 'SELECT' | 'UPDATE', others: () => Promise<unknown>, options = {}) {
      let waiting = true
      const pool = poolThat(fixture.pool, async (statement, next) => {
        // the looks at server and table are SELECTs too
        if (waiting && statement.startsWith(`\n${kind}`) && statement.includes(`\`${fixture.table}\``)) {
          waiting = false
          await others()
        }
        return next()
      })
      return mysqlStore({ pool, table: fixture.table, ...options })
    }
    const two = claim({ owner: 'two' })
    const lapsed = (changes = {}) => fixture.store.begin(key, claim({ leaseMs: 0, ...changes }))

    test('the holder renews after all: it is in progress', async () => {
      const { token } = await lapsed()
      const store = storeBefore('UPDATE', () =>
        fixture.store.transition(key, token, { to: 'renew', leaseMs: HOUR_MS / 2 }),
      )
      expect(await store.begin(key, two)).toMatchObject({ outcome: 'in_progress', token, attempt: 1 })
    })

    test('the holder saves a checkpoint in the same instant: the next attempt gets it', async () => {
      const standing = { now: () => Date.UTC(2040, 0) }
      const holder = mysqlStore({ pool: fixture.pool, table: fixture.table, ...standing })
      const { token } = await holder.begin(key, claim({ leaseMs: 0 }))
      const checkpoint = { seq: 7, data: new Uint8Array([7]) }
      const renew = { to: 'renew', leaseMs: 0, checkpoint } as const
      const store = storeBefore('UPDATE', () => holder.transition(key, token, renew), standing)
      expect(await store.begin(key, two)).toMatchObject({ outcome: 'acquired', attempt: 2, checkpoint })
    })

    test('the holder settles: its result is replayed', async () => {
      const { token } = await lapsed()
      const store = storeBefore('UPDATE', () => fixture.store.transition(key, token, completed('x')))
      expect(await store.begin(key, two)).toMatchObject({ outcome: 'settled', token })
    })

    test('another takes over: it is in progress', async () => {
      await lapsed()
      const store = storeBefore('UPDATE', () => fixture.store.begin(key, claim({ owner: 'three' })))
      expect(await store.begin(key, two)).toMatchObject({ outcome: 'in_progress', attempt: 2 })
    })

    test('the record expires: it is begun anew, and not taken over', async () => {
      const RETENTION_MS = 200
      await lapsed({ retentionMs: RETENTION_MS })
      const store = storeBefore('UPDATE', () => sleep(RETENTION_MS + 50))
      expect(await store.begin(key, two)).toMatchObject({ outcome: 'acquired', attempt: 1, interrupted: false })
      expect(await fixture.store.get(key)).toMatchObject({ attempt: 1, interrupted: false })
    })

    test('the record is purged: it is begun anew', async () => {
      await lapsed({ retentionMs: 0 })
      const store = storeBefore('SELECT', () => fixture.store.purge({ limit: 100, graceMs: 0 }))
      expect(await store.begin(key, two)).toMatchObject({ outcome: 'acquired', attempt: 1 })
    })

    test('the record is forgotten and begun by another: its fingerprint decides', async () => {
      const { token } = await fixture.store.begin(key, claim())
      const store = storeBefore('SELECT', async () => {
        await fixture.store.transition(key, token, { to: 'forgotten', tombstoneMs: HOUR_MS })
        await fixture.store.begin(key, claim({ owner: 'three', fingerprint: 'other' }))
      })
      expect(await store.begin(key, two)).toMatchObject({ outcome: 'mismatch', fingerprint: 'other' })
    })

    test('a settle that lost is told what stands there when it asks', async () => {
      const { token } = await lapsed()
      const next = await fixture.store.begin(key, two)
      const store = storeBefore('SELECT', () => fixture.store.transition(key, next.token, completed('theirs')))
      expect(await store.transition(key, token, completed('mine'))).toMatchObject({
        outcome: 'lost',
        current: { state: 'completed', token: next.token, result: new Uint8Array(Buffer.from('theirs')) },
      })
    })
  }),
)
