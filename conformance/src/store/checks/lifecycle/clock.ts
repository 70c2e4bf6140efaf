import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Claim } from '@retryproof/core/store'
import type { Check } from '../../check.ts'
import { withStore } from '../../harness.ts'
import { freshKey } from '../../tools/keys.ts'

const HOUR_MS = 3_600_000
const claim: Claim = { owner: 'owner', fingerprint: 'fingerprint', leaseMs: HOUR_MS, retentionMs: HOUR_MS }

/** The clock that a store has when none is given to it. */
export const clockChecks: readonly Check[] = [
  {
    id: 'C21',
    title: "shifting the clock of the client's machine changes no answer",
    clauses: ['C21'],
    needs: ["clock: 'store'"],
    run: (harness) =>
      withStore(harness, {}, async (store) => {
        const startedMs = performance.now()
        const assertLeft = (what: string, leftMs: number | undefined, fullMs: number) => {
          const least = fullMs - (performance.now() - startedMs) - 1_000
          assert.ok(
            leftMs !== undefined && leftMs <= fullMs && leftMs >= least,
            `${what} must be between ${Math.floor(least)} and ${fullMs} ms by the store's clock, and is ${String(leftMs)}`,
          )
        }
        const shifts = [-26 * HOUR_MS, 0, 26 * HOUR_MS]
        for (const hereMs of shifts) {
          for (const thereMs of shifts) {
            const key = freshKey('shift')
            const begun = await withShiftedDate(hereMs, () => store.begin(key, claim))
            assertLeft('the lease of a begin', begun.leaseRemainingMs, HOUR_MS)
            const other = await withShiftedDate(thereMs, () => store.begin(key, { ...claim, owner: 'other' }))
            assert.equal(other.outcome, 'in_progress', 'a lease must not end with the clock of a client')
            assertLeft('what is left of the lease', other.leaseRemainingMs, HOUR_MS)
            await withShiftedDate(thereMs, () =>
              store.transition(key, begun.token, { to: 'renew', leaseMs: 2 * HOUR_MS }),
            )
            const renewed = await withShiftedDate(hereMs, () => store.get(key))
            assertLeft('what is left of a renewed lease', renewed?.leaseRemainingMs, 2 * HOUR_MS)
            await withShiftedDate(hereMs, () => store.transition(key, begun.token, { to: 'forgotten', tombstoneMs: 0 }))
            const next = await withShiftedDate(thereMs, () => store.begin(key, { ...claim, leaseMs: 0 }))
            assert.equal(next.outcome, 'acquired', 'a tombstone must not outlive its time with the clock of a client')
            assert.ok(next.token > begun.token, 'tokens must rise whatever the clocks of the clients say')
            const taken = await withShiftedDate(hereMs, () => store.begin(key, { ...claim, owner: 'taker' }))
            assert.deepEqual([taken.outcome, taken.attempt], ['acquired', 2], 'a lease of 0 is over by every clock')
            await withShiftedDate(thereMs, () =>
              store.transition(key, taken.token, { to: 'completed', result: new Uint8Array(), retentionMs: HOUR_MS }),
            )
            const settled = await withShiftedDate(hereMs, () => store.begin(key, claim))
            assert.equal(settled.outcome, 'settled', 'a result must not expire with the clock of a client')
            assertLeft('what is left of the retention', settled.retentionRemainingMs, HOUR_MS)
          }
        }
      }),
  },
  {
    id: 'real-clock',
    title: 'by the real clock a lease and a retention end when they should, and tokens are µs',
    clauses: ['C2', 'C5', 'C23'],
    needs: [],
    run: (harness) =>
      withStore(harness, {}, async (store) => {
        const key = freshKey('real')
        const first = await store.begin(key, { ...claim, leaseMs: 60, retentionMs: HOUR_MS })
        const years = (first.token / 1000 - Date.UTC(2020, 0)) / (365 * 24 * HOUR_MS)
        assert.ok(years > 0 && years < 100, `a first token is the store's clock in µs since 1970, not ${first.token}`)
        assert.ok(first.leaseRemainingMs <= 60 && first.retentionRemainingMs <= HOUR_MS + 60)
        await sleep(80)
        const second = await store.begin(key, { ...claim, owner: 'second' })
        assert.deepEqual([second.outcome, second.attempt, second.interrupted], ['acquired', 2, true])
        assert.ok(second.token >= first.token + 60_000, 'a token must not be behind the clock of the store')
        await store.transition(key, second.token, { to: 'completed', result: new Uint8Array([1]), retentionMs: 60 })
        await sleep(80)
        assert.equal(await store.get(key), null)
        assert.equal((await store.begin(key, { ...claim, fingerprint: 'other' })).attempt, 1)
      }),
  },
]

/** Does `work` while `Date`, in this process, is off by `shiftMs`. */
async function withShiftedDate<T>(shiftMs: number, work: () => Promise<T>): Promise<T> {
  const Real = globalThis.Date
  const nowMs = () => Real.now() + shiftMs
  globalThis.Date = new Proxy(Real, {
    construct: (target, given, newTarget) => Reflect.construct(target, given.length > 0 ? given : [nowMs()], newTarget),
    apply: () => new Real(nowMs()).toString(),
    get: (target, name) => (name === 'now' ? nowMs : Reflect.get(target, name)),
  })
  try {
    return await work()
  } finally {
    globalThis.Date = Real
  }
}
