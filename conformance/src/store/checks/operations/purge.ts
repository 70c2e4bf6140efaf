import assert from 'node:assert/strict'
import { setImmediate as turn } from 'node:timers/promises'
import type { Check } from '../../check.ts'
import { type AnyStore, withStore, withStores } from '../../harness.ts'
import { CLIENTS, runScripts, scripts } from '../../model/client-scripts.ts'
import { recordHistory } from '../../model/history.ts'
import { checkHistory } from '../../model/linearizability.ts'
import { runSequence, sequencesWithPurges } from '../../model/sequences.ts'
import { createTwin, manualClock, type Twin } from '../../model/side-by-side.ts'
import { freshKey } from '../../tools/keys.ts'
import { forAll } from '../../tools/property.ts'
import { settings } from '../../tools/settings.ts'
import { allSituations, bring } from '../scenarios.ts'

/**
 * A purge concerns all records of the store. These clocks start far behind every other one, so that the purges find
 * nothing of other checks that is old to them.
 */
const PAST_MS = Date.UTC(1990, 0)

const claim = { owner: 'owner', fingerprint: 'fingerprint', leaseMs: 0, retentionMs: 0 }

export const purgeChecks: readonly Check[] = [
  {
    id: 'C17',
    title: 'no sequence of calls shows whether somebody purged in between',
    clauses: ['C17', 'C2'],
    needs: ['purge'],
    run: (harness) => {
      const clock = manualClock(PAST_MS)
      return withStore(harness, clock, (store) =>
        forAll(sequencesWithPurges, few(settings.runs), (steps) =>
          runSequence(createTwin(store, clock), steps, async (limit, graceMs) => {
            await purge(store, { limit, graceMs })
          }),
        ),
      )
    },
  },
  {
    id: 'C17-concurrent',
    title: 'nor do concurrent calls, with every purge as early as it may be',
    clauses: ['C17', 'C18'],
    needs: ['purge'],
    run: (harness) =>
      withStores(harness, CLIENTS + 1, {}, ([purging, ...stores]) =>
        forAll(
          scripts,
          few(settings.histories),
          async (all) => {
            const recorded = recordHistory(stores)
            const graceMs = graceOf(purging as AnyStore)
            let running = true
            const purges = (async () => {
              while (running) {
                await purge(purging as AnyStore, { limit: 100, graceMs })
                // a store that answers at once would let nothing else have a turn
                await turn()
              }
            })()
            await runScripts(all, recorded.stores, freshKey('history')).finally(() => {
              running = false
            })
            await purges
            checkHistory(recorded.history)
          },
          { shrink: false },
        ),
      ),
  },
  {
    id: 'C17-live',
    title: 'a purge leaves what is live, and what keeps the token of a forgotten record',
    clauses: ['C17', 'C2'],
    needs: ['purge'],
    run: withTwin(async (twin, store) => {
      for (const situation of allSituations) {
        const key = freshKey('live')
        const { token } = await bring(twin, situation, key)
        await purge(store, { limit: 1_000, graceMs: 0 })
        await twin.get(key)
        await twin.transition(token, { to: 'forgotten', tombstoneMs: 1 }, key)
        await purge(store, { limit: 1_000, graceMs: 0 })
        await twin.transition(token, { to: 'forgotten', tombstoneMs: 1 }, key)
        await twin.begin({ owner: 'next' }, key)
      }
    }),
  },
  {
    id: 'C17-grace',
    title: 'a purge waits for its grace, a minute by default, so that a clock may step back by as much',
    clauses: ['C17', 'C2'],
    needs: ['purge'],
    run: withTwin(async (twin, store) => {
      for (const graceMs of [undefined, 0, 1, 5_000]) {
        const key = freshKey('grace')
        const { token } = await twin.begin({ ...claim, retentionMs: 10 }, key)
        await twin.transition(token, { to: 'completed', result: new Uint8Array([1]), retentionMs: 10 }, key)
        const aheadMs = 10 + (graceMs ?? 60_000) - 1
        twin.clock.nowMs += aheadMs
        await purge(store, { limit: 1_000, ...(graceMs !== undefined && { graceMs }) })
        twin.clock.nowMs -= aheadMs
        await twin.get(key)
        await twin.begin({ ...claim, owner: 'next' }, key)
        twin.clock.nowMs += aheadMs
      }
    }),
  },
  {
    id: 'C17-instant',
    title: 'a purge in the instant of an acquisition gives no token twice',
    clauses: ['C17', 'C2'],
    needs: ['purge'],
    run: withTwin(async (twin, store) => {
      for (const owner of ['first', 'second', 'third']) {
        const { token } = await twin.begin({ ...claim, owner })
        await purge(store, { limit: 1_000, graceMs: 0 })
        await twin.begin({ ...claim, owner: `after ${owner}`, retentionMs: 1_000 })
        await twin.transition(token + 1, { to: 'forgotten', tombstoneMs: 0 })
        await purge(store, { limit: 1_000, graceMs: 0 })
      }
    }),
  },
  {
    id: 'C17-limit',
    title: 'a purge removes what is old, at most as many as it was told, and says how many',
    clauses: ['C17'],
    needs: ['purge'],
    run: withTwin(async (twin, store) => {
      const kept = freshKey('kept')
      await store.begin(kept, { ...claim, retentionMs: 3_600_000 })
      const old = Array.from({ length: 7 }, () => freshKey('old'))
      for (const key of old) await store.begin(key, claim)
      twin.clock.nowMs += 60_000
      let removed = 0
      for (let before = -1; removed > before; ) {
        before = removed
        removed += await purge(store, { limit: 3 })
      }
      assert.ok(removed >= old.length, `${removed} records were removed, and ${old.length} were old enough`)
      assert.equal((await store.get(kept))?.state, 'in_progress', 'a live record must stay')
      assert.equal(await purge(store, { limit: 3 }), 0, 'nothing is left to remove')
    }),
  },
]

/** Runs a check on a store and its model, at a time before that of all other records, so that a purge leaves those alone. */
function withTwin(run: (twin: Twin, store: AnyStore) => Promise<void>): Check['run'] {
  return (harness) => {
    const clock = manualClock(PAST_MS)
    return withStore(harness, clock, (store) => run(createTwin(store, clock), store))
  }
}

/** A purge may look at every record of the store: a third of the usual number is many. */
function few(usual: number): number {
  return Math.ceil(usual / 3)
}

async function purge(store: AnyStore, options: { limit: number; graceMs?: number }): Promise<number> {
  const removed = await store.purge?.(options)
  assert.ok(
    removed !== undefined && Number.isInteger(removed) && removed >= 0 && removed <= options.limit,
    `a purge must say how many it removed, at most ${options.limit}, and said ${String(removed)}`,
  )
  return removed
}

/** Longer than one of a few clients waits to insert a record. */
const LONGEST_WAIT_MS = 20

/**
 * A first insertion that had to wait may count from its start. If what it waited for has expired and is purged meanwhile,
 * its token would be the lower one: that is what the grace is for. Stores that no network reaches do not wait so.
 */
function graceOf({ capabilities }: AnyStore): number {
  return capabilities.shared === 'network' ? LONGEST_WAIT_MS : 0
}
