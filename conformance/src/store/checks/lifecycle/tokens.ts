import assert from 'node:assert/strict'
import type { Check } from '../../check.ts'
import { freshKey } from '../../tools/keys.ts'
import { allSituations, bring, changes, twinCheck } from '../scenarios.ts'

export const tokenChecks: readonly Check[] = [
  twinCheck('C2', 'tokens rise with every acquisition, within one instant too', ['C2'], async (twin) => {
    const claim = { leaseMs: 0, retentionMs: 0 }
    let latest = 0
    const acquire = async (owner: string, durations: { leaseMs: number; retentionMs: number }) => {
      const { outcome, token } = await twin.begin({ owner, ...durations })
      assert.equal(outcome, 'acquired')
      assert.ok(Number.isSafeInteger(token) && token > latest, `token ${token} must be a whole number above ${latest}`)
      latest = token
    }
    for (const jumpMs of [0, 0, 1, 100_000]) {
      twin.advance(jumpMs)
      await acquire('begins', claim)
      await acquire('after expiry', { leaseMs: 0, retentionMs: 60_000 })
      await acquire('takes over', { leaseMs: 60_000, retentionMs: 60_000 })
      await twin.transition(latest, { to: 'released', delayMs: 0, retentionMs: 60_000 })
      await acquire('after release', { leaseMs: 60_000, retentionMs: 60_000 })
      await twin.transition(latest, { to: 'forgotten', tombstoneMs: 60_000 })
      await acquire('after forget', { leaseMs: 60_000, retentionMs: 60_000 })
      await twin.transition(latest, { to: 'forgotten', tombstoneMs: 0 })
      await acquire('after the tombstone', { leaseMs: 60_000, retentionMs: 60_000 })
      await twin.transition(latest, { to: 'completed', result: new Uint8Array(), retentionMs: 0 })
      await acquire('after the retention', claim)
    }
  }),
  twinCheck('C3', 'a token of an earlier attempt, or of none, changes nothing', ['C3'], async (twin) => {
    for (const situation of allSituations) {
      const key = freshKey('stale')
      const { token, stale } = await bring(twin, situation, key)
      for (const change of changes) {
        for (const wrong of [stale, token + 1, 0]) {
          const { outcome } = await twin.transition(wrong, change, key)
          assert.equal(outcome, 'lost', `${change.to} with a wrong token on a record that is ${situation}`)
        }
        await twin.get(key)
      }
      await twin.transition(token, { to: 'forgotten', tombstoneMs: 1 }, key)
    }
  }),
  twinCheck(
    'C3-transitions',
    'from each state, the holder can do what the table of the contract allows',
    ['C3', 'C4', 'C9'],
    async (twin) => {
      for (const situation of allSituations) {
        for (const change of changes) {
          const key = freshKey('table')
          const { token } = await bring(twin, situation, key)
          await twin.transition(token, change, key)
          await twin.get(key)
          await twin.begin({ owner: 'next' }, key)
        }
      }
    },
  ),
]
