import assert from 'node:assert/strict'
import type { Check } from '../../check.ts'
import { freshKey } from '../../tools/keys.ts'
import { allSituations, bring, changes, LEASE_MS, RETENTION_MS, settled, twinCheck } from '../scenarios.ts'

/** Checks that settled and parked records stay as they are. */
export const settledChecks: readonly Check[] = [
  twinCheck('C4', 'a result stands until it expires, whatever is called', ['C4', 'C7'], async (twin) => {
    for (const situation of ['completed', 'failed'] as const) {
      const key = freshKey('settled')
      const { token } = await bring(twin, situation, key)
      twin.advance(RETENTION_MS - 1)
      await twin.begin({ owner: 'holder' }, key)
      await twin.begin({ owner: 'next' }, key)
      for (const change of changes) {
        if (change.to !== 'forgotten') await twin.transition(token, change, key)
        await twin.get(key)
      }
      twin.advance(1)
      assert.equal(await twin.get(key), null, 'the retention is over')
    }
  }),
  twinCheck('C7', 'begins that do not acquire extend nothing', ['C7'], async (twin) => {
    for (const situation of ['in progress', 'released', ...settled] as const) {
      const key = freshKey('asked')
      await bring(twin, situation, key)
      for (const owner of ['asks', 'asks', 'asks too']) {
        await twin.begin(
          { owner, leaseMs: 9 * LEASE_MS, retentionMs: 9 * RETENTION_MS, request: new Uint8Array([7]) },
          key,
        )
        twin.advance(1)
      }
      await twin.get(key)
      twin.advance(LEASE_MS + RETENTION_MS)
      assert.equal(await twin.get(key), null, `a record that was ${situation} has expired`)
    }
  }),
  twinCheck('C9', 'a transition that is sent again is applied once: the first one stands', ['C9'], async (twin) => {
    const repeatable = changes.filter((change) => change.to !== 'renew')
    for (const situation of allSituations) {
      for (const change of repeatable) {
        const key = freshKey('again')
        const { token } = await bring(twin, situation, key)
        await twin.transition(token, change, key)
        twin.advance(1)
        await twin.transition(token, change, key)
        for (const other of repeatable) if (other.to === change.to) await twin.transition(token, other, key)
        await twin.get(key)
      }
    }
  }),
  twinCheck(
    'C9-parked',
    'a parked record waits, keeps its work, and can be resolved',
    ['C4', 'C9', 'C12'],
    async (twin) => {
      for (const change of changes) {
        const key = freshKey('parked')
        const { token } = await bring(twin, 'with a checkpoint', key)
        await twin.transition(token, { to: 'parked', retentionMs: RETENTION_MS }, key)
        twin.advance(LEASE_MS)
        await twin.begin({ owner: 'holder' }, key)
        await twin.begin({ owner: 'next' }, key)
        await twin.transition(token, change, key)
        await twin.get(key)
        twin.advance(9 * LEASE_MS)
        await twin.begin({ owner: 'after' }, key)
        await twin.get(key)
      }
    },
  ),
]
