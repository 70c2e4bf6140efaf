import assert from 'node:assert/strict'
import { MAX_DURATION_MS } from '@retryproof/core/internal'
import type { Check } from '../../check.ts'
import { freshKey } from '../../tools/keys.ts'
import { bring, changes, LEASE_MS, live, RETENTION_MS, situations, twinCheck } from '../scenarios.ts'

const DAY_MS = 86_400_000

/** Checks the time that a record lasts, and that nothing is left of it then. */
export const expiryChecks: readonly Check[] = [
  twinCheck(
    'C5',
    'at the end of its retention a record is absent to every operation, and not before',
    ['C5'],
    async (twin) => {
      for (const situation of live) {
        for (const change of [null, ...changes]) {
          const key = freshKey('expiry')
          const { token } = await bring(twin, situation, key)
          const { expiresAt } = twin.record(key) ?? { expiresAt: 0 }
          twin.advance(expiresAt / 1000 - twin.clock.nowMs - 1)
          assert.notEqual(await twin.get(key), null, `a record that is ${situation} has a millisecond left`)
          twin.advance(1)
          assert.equal(await twin.get(key), null, `a record that was ${situation} is at its end`)
          if (change) assert.deepEqual(await twin.transition(token, change, key), { outcome: 'lost', current: null })
          else assert.equal((await twin.begin({ owner: 'next', fingerprint: 'other' }, key)).attempt, 1)
          await twin.get(key)
        }
      }
    },
  ),
  twinCheck(
    'C11',
    'a renewal shortens nothing, and a takeover or release keeps the longer retention',
    ['C11'],
    async (twin) => {
      const claim = { leaseMs: 10 * LEASE_MS, retentionMs: 10 * RETENTION_MS }
      const { token } = await twin.begin({ ...claim, owner: 'one' })
      for (const leaseMs of [0, LEASE_MS, 20 * LEASE_MS]) {
        for (const retentionMs of [undefined, 0, RETENTION_MS, 20 * RETENTION_MS]) {
          await twin.transition(token, { to: 'renew', leaseMs, ...(retentionMs !== undefined && { retentionMs }) })
          await twin.get()
        }
      }
      twin.advance(20 * LEASE_MS)
      const next = await twin.begin({ owner: 'two', leaseMs: LEASE_MS, retentionMs: 0 })
      await twin.transition(next.token, { to: 'released', delayMs: LEASE_MS, retentionMs: 0 })
      await twin.get()
      twin.advance(LEASE_MS)
      await twin.begin({ owner: 'three', leaseMs: 30 * LEASE_MS, retentionMs: 30 * RETENTION_MS })
      await twin.get()
    },
  ),
  twinCheck(
    'C11-after',
    'the retention counts from the end of the lease or of the delay',
    ['C11', 'C5'],
    async (twin) => {
      const claim = { leaseMs: 5 * LEASE_MS, retentionMs: LEASE_MS }
      for (const release of [false, true]) {
        const key = freshKey('after')
        const { token } = await twin.begin({ ...claim, owner: 'one' }, key)
        if (release) {
          twin.advance(LEASE_MS)
          await twin.transition(token, { to: 'released', delayMs: 9 * LEASE_MS, retentionMs: LEASE_MS }, key)
        }
        twin.advance((release ? 9 : 5) * LEASE_MS)
        const next = await twin.begin({ ...claim, owner: 'two' }, key)
        assert.equal(next.attempt, 2, 'what was attempted before must not be forgotten together with the lease')
      }
    },
  ),
  twinCheck(
    'C11-durations',
    'durations from 0 to 100 years are kept to the millisecond',
    ['C11', 'C5'],
    async (twin) => {
      for (const ms of [0, 1, 999, 2 ** 31 - 1, 2 ** 31, 2 ** 32 + 1, 25 * DAY_MS, MAX_DURATION_MS]) {
        for (const change of [
          { to: 'renew', leaseMs: ms, retentionMs: ms },
          { to: 'released', delayMs: ms, retentionMs: ms },
          { to: 'parked', retentionMs: ms },
          { to: 'completed', retentionMs: ms, result: new Uint8Array([1]) },
          { to: 'forgotten', tombstoneMs: ms },
        ] as const) {
          const key = freshKey('long')
          const { token } = await twin.begin({ leaseMs: 0, retentionMs: 1 }, key)
          await twin.transition(token, change, key)
          await twin.begin({ owner: 'next', leaseMs: ms, retentionMs: ms }, key)
          await twin.get(key)
          await twin.transition(token, change, key)
        }
      }
    },
  ),
  twinCheck(
    'C14',
    'after a forget the key is as new for everybody, and its token is dead',
    ['C14', 'C2'],
    async (twin) => {
      for (const situation of live) {
        const key = freshKey('forget')
        const { token } = await bring(twin, situation, key)
        await twin.transition(token, { to: 'forgotten', tombstoneMs: RETENTION_MS }, key)
        assert.equal(await twin.get(key), null)
        for (const change of changes) await twin.transition(token, change, key)
        const next = await twin.begin({ owner: 'holder', fingerprint: 'other', leaseMs: LEASE_MS }, key)
        assert.deepEqual([next.outcome, next.attempt, next.interrupted, next.checkpoint], ['acquired', 1, false, null])
        for (const change of changes) await twin.transition(token, change, key)
        await twin.get(key)
        twin.advance(RETENTION_MS) // the tombstone's time is over, the new record's is not
        await twin.get(key)
      }
    },
  ),
  twinCheck('C16', 'a new incarnation shows nothing of the old one', ['C16', 'C5', 'C14'], async (twin) => {
    for (const situation of live) {
      for (const end of ['expired', 'forgotten'] as const) {
        for (const request of [undefined, new Uint8Array(), new Uint8Array([8])]) {
          const key = freshKey('anew')
          const { token } = await bring(twin, situation, key)
          if (end === 'forgotten') await twin.transition(token, situations.forgotten[0], key)
          else twin.advance(20 * RETENTION_MS)
          await twin.begin({ owner: 'new', fingerprint: 'new', leaseMs: 0, ...(request && { request }) }, key)
          await twin.get(key)
          const second = await twin.begin({ owner: 'newer', fingerprint: 'new' }, key)
          await twin.transition(second.token, { to: 'released', delayMs: 0, retentionMs: RETENTION_MS }, key)
          await twin.get(key)
        }
      }
    }
  }),
]
