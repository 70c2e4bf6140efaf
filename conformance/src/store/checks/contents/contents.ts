import assert from 'node:assert/strict'
import type { Check } from '../../check.ts'
import { freshKey } from '../../tools/keys.ts'
import { bring, LEASE_MS, live, RETENTION_MS, twinCheck } from '../scenarios.ts'

/** Fingerprints and checkpoints. */
export const contentChecks: readonly Check[] = [
  twinCheck('C6', 'another fingerprint is a mismatch, and changes nothing', ['C6'], async (twin) => {
    for (const situation of live) {
      const key = freshKey('mismatch')
      await bring(twin, situation, key)
      for (const owner of ['holder', 'other']) {
        const claim = { leaseMs: 9 * LEASE_MS, retentionMs: 9 * RETENTION_MS, request: new Uint8Array([6]) }
        const { outcome } = await twin.begin({ ...claim, owner, fingerprint: 'other' }, key)
        assert.equal(outcome, 'mismatch', `another fingerprint on a record that is ${situation}`)
        await twin.get(key)
      }
      await twin.begin({ owner: 'holder' }, key)
      twin.advance(LEASE_MS)
      assert.equal((await twin.begin({ owner: 'other', fingerprint: 'other' }, key)).outcome, 'mismatch')
      await twin.begin({ owner: 'next' }, key)
      await twin.get(key)
    }
  }),
  twinCheck('C6-bytes', 'fingerprints compare as bytes', ['C6'], async (twin) => {
    const fingerprints = [
      'print',
      'Print',
      'print ',
      ' print',
      'prínt',
      'pri\u0301nt',
      'pri\u200bnt',
      '$print',
      'pr%',
      'pr_nt',
    ]
    for (const fingerprint of fingerprints) {
      const key = freshKey('prints')
      await twin.begin({ owner: 'holder', fingerprint, leaseMs: 0 }, key)
      for (const other of fingerprints) {
        if (other !== fingerprint) await twin.begin({ owner: 'holder', fingerprint: other }, key)
      }
      await twin.get(key)
    }
  }),
  twinCheck(
    'C15',
    'only the holder moves the checkpoint, never back, and a result clears it',
    ['C15'],
    async (twin) => {
      const renew = (token: number, seq: number, key: string) =>
        twin.transition(
          token,
          { to: 'renew', leaseMs: LEASE_MS, checkpoint: { seq, data: new Uint8Array([seq]) } },
          key,
        )
      for (const last of [
        { to: 'completed', result: new Uint8Array(), retentionMs: RETENTION_MS },
        { to: 'failed', result: new Uint8Array(), retentionMs: RETENTION_MS },
        { to: 'released', delayMs: 0, retentionMs: RETENTION_MS },
        { to: 'parked', retentionMs: RETENTION_MS },
      ] as const) {
        const key = freshKey('progress')
        const { token, stale } = await bring(twin, 'in progress', key)
        for (const seq of [0, 2, 1, 2, 0, 3]) {
          await renew(token, seq, key)
          await twin.get(key)
        }
        await renew(stale, 9, key)
        twin.advance(LEASE_MS / 2)
        await renew(token, 3, key) // stored already, and the lease is renewed all the same
        await twin.get(key)
        await twin.transition(token, { to: 'renew', leaseMs: LEASE_MS }, key)
        await twin.get(key)
        twin.advance(LEASE_MS)
        const next = await twin.begin({ owner: 'next', leaseMs: LEASE_MS, retentionMs: RETENTION_MS }, key)
        await renew(next.token, 3, key)
        await renew(token, 9, key)
        await renew(next.token, 4, key)
        await twin.transition(next.token, last, key)
        await renew(next.token, 9, key)
        await twin.get(key)
      }
    },
  ),
  twinCheck('C15-empty', 'an empty checkpoint is one', ['C15', 'C20'], async (twin) => {
    const { token } = await twin.begin({ leaseMs: LEASE_MS })
    await twin.transition(token, { to: 'renew', leaseMs: LEASE_MS, checkpoint: { seq: 0, data: new Uint8Array() } })
    await twin.get()
    await twin.transition(token, { to: 'renew', leaseMs: LEASE_MS, checkpoint: { seq: 0, data: new Uint8Array([1]) } })
    await twin.get()
  }),
]
