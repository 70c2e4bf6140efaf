import assert from 'node:assert/strict'
import type { Check } from '../../check.ts'
import { freshKey } from '../../tools/keys.ts'
import { within } from '../../tools/within.ts'
import { allSituations, bring, changes, LEASE_MS, RETENTION_MS, twinCheck } from '../scenarios.ts'

/** Checks the holder of a key: acquisition, renewal, release and takeover. */
export const holdingChecks: readonly Check[] = [
  twinCheck('C1', 'while a lease lasts nobody else acquires', ['C1', 'C7'], async (twin) => {
    const { token } = await twin.begin({ owner: 'holder', leaseMs: LEASE_MS })
    twin.advance(LEASE_MS - 1)
    assert.equal((await twin.begin({ owner: 'other' })).outcome, 'in_progress', 'the lease has a millisecond left')
    await twin.transition(token, { to: 'renew', leaseMs: LEASE_MS })
    twin.advance(LEASE_MS - 1)
    assert.equal((await twin.begin({ owner: 'other' })).outcome, 'in_progress', 'the lease was renewed')
    twin.advance(1)
    assert.equal((await twin.begin({ owner: 'other' })).outcome, 'acquired', 'the lease is over')
  }),
  twinCheck('C8', 'a begin that is sent again acquires the same attempt, and changes nothing', ['C8'], async (twin) => {
    const claim = { owner: 'holder', leaseMs: LEASE_MS, retentionMs: RETENTION_MS, request: new Uint8Array([1]) }
    await twin.begin(claim)
    twin.advance(LEASE_MS / 2)
    await twin.begin({ ...claim, leaseMs: 9 * LEASE_MS, retentionMs: 9 * RETENTION_MS, request: new Uint8Array([2]) })
    await twin.get()
    twin.advance(LEASE_MS / 2)
    await twin.begin(claim) // its lease is over, and nobody took over
    const next = await twin.begin({ ...claim, owner: 'next' })
    await twin.transition(next.token, {
      to: 'renew',
      leaseMs: LEASE_MS,
      checkpoint: { seq: 1, data: new Uint8Array([3]) },
    })
    const again = await twin.begin({ ...claim, owner: 'next' })
    assert.deepEqual([again.outcome, again.token, again.interrupted], ['acquired', next.token, true])
    assert.equal((await twin.begin(claim)).outcome, 'in_progress', 'the first owner holds it no more')
    await twin.get()
  }),
  twinCheck('C8-owners', 'owners compare as bytes', ['C8'], async (twin) => {
    const owners = ['owner', 'Owner', 'owner ', 'ówner', 'o\u0301wner', 'owne\u200br', '$owner', 'own%']
    for (const owner of owners) {
      const key = freshKey('owners')
      await twin.begin({ owner }, key)
      for (const other of owners) await twin.begin({ owner: other }, key)
    }
  }),
  twinCheck('C10', 'a holder whose lease is over may still write while nobody took over', ['C10'], async (twin) => {
    for (const change of changes) {
      const key = freshKey('late')
      const { token } = await bring(twin, 'lapsed', key)
      assert.equal((await twin.transition(token, change, key)).outcome, 'ok', `${change.to} of a late holder`)
      await twin.get(key)
    }
  }),
  twinCheck('C12', 'a takeover is a new, interrupted attempt on the same work', ['C12'], async (twin) => {
    const claim = { leaseMs: LEASE_MS, retentionMs: RETENTION_MS }
    const { token } = await twin.begin({ ...claim, owner: 'one', request: new Uint8Array([1]) })
    await twin.transition(token, { to: 'renew', leaseMs: LEASE_MS, checkpoint: { seq: 4, data: new Uint8Array([2]) } })
    for (const owner of ['two', 'three']) {
      twin.advance(LEASE_MS)
      const taken = await twin.begin({ ...claim, owner, request: new Uint8Array([9]) })
      assert.equal(taken.interrupted, true)
      await twin.get()
    }
    assert.equal(
      (await twin.transition(token, { to: 'completed', result: new Uint8Array(), retentionMs: 0 })).outcome,
      'lost',
    )
  }),
  twinCheck(
    'C13',
    'a release ends the attempt, and the next one is due after its delay',
    ['C13', 'C12'],
    async (twin) => {
      for (const situation of ['released', 'released unresolved', 'released at once'] as const) {
        const key = freshKey('release')
        const { token } = await bring(twin, situation, key)
        for (const change of changes) if (change.to !== 'forgotten') await twin.transition(token, change, key)
        twin.advance(LEASE_MS - 1)
        for (const owner of ['too early?', 'holder']) await twin.begin({ owner, leaseMs: LEASE_MS }, key)
        twin.advance(1)
        await twin.begin({ owner: 'holder', leaseMs: LEASE_MS }, key)
        await twin.get(key)
      }
    },
  ),
  twinCheck('C13-interrupted', 'a clean release clears what a takeover marked', ['C12', 'C13'], async (twin) => {
    const claim = { leaseMs: LEASE_MS, retentionMs: RETENTION_MS }
    await twin.begin({ ...claim, owner: 'silent' })
    twin.advance(LEASE_MS)
    const { token } = await twin.begin({ ...claim, owner: 'clean' })
    await twin.transition(token, { to: 'released', delayMs: 0, retentionMs: RETENTION_MS })
    const clean = await twin.begin({ ...claim, owner: 'next' })
    assert.deepEqual([clean.outcome, clean.interrupted], ['acquired', false])
    await twin.transition(clean.token, { to: 'released', delayMs: 0, retentionMs: RETENTION_MS, unresolved: true })
    assert.equal((await twin.begin({ ...claim, owner: 'last' })).interrupted, true)
  }),
  twinCheck('C23', 'no operation waits for a lease, and one call acquires a lapsed one', ['C23'], async (twin) => {
    for (const situation of allSituations) {
      const key = freshKey('wait')
      const { stale } = await bring(twin, situation, key)
      for (const owner of ['waits?', 'waits too?']) await within('a begin', twin.begin({ owner }, key))
      await within('a get', twin.get(key))
      for (const change of changes) await within(`a stale ${change.to}`, twin.transition(stale, change, key))
    }
  }),
]
