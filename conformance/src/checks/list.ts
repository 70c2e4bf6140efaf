import assert from 'node:assert/strict'
import type { ListedRecord, ListQuery } from '@retryproof/core'
import type { Check } from '../check.ts'
import { type AnyStore, withStore } from '../harness.ts'
import { freshKey, freshNamespace } from '../keys.ts'
import { createTwin, manualClock } from '../twin.ts'
import { bring, LEASE_MS, live, RETENTION_MS, type Situation } from './situations.ts'

export const listChecks: readonly Check[] = [
  {
    id: 'list',
    title: 'a listing shows the records that it was asked for, as `get` shows them',
    clauses: [],
    needs: ['list'],
    run: (harness) => {
      const clock = manualClock()
      return withStore(harness, clock, async (store) => {
        const namespace = freshNamespace()
        const twin = createTwin(store, clock)
        const keys = new Map<Situation, string>()
        for (const situation of ['expired', ...live, 'forgotten'] as const) {
          const key = freshKey(situation.replaceAll(' ', '-'), namespace)
          await bring(twin, situation, key)
          keys.set(situation, key)
        }
        twin.advance(3 * LEASE_MS)
        const views = new Map<string, Omit<ListedRecord, 'key'>>()
        for (const key of keys.values()) {
          const view = await twin.get(key)
          if (view) views.set(key, listed(view))
        }
        const matching = (wanted: (record: Omit<ListedRecord, 'key'>, key: string) => boolean) =>
          new Map([...views].filter(([key, record]) => wanted(record, key)))

        assert.deepEqual(await list(store, { namespace }), views, 'all of a namespace')
        for (const state of ['in_progress', 'released', 'parked', 'completed', 'failed'] as const) {
          const some = matching((record) => record.state === state)
          assert.deepEqual(await list(store, { namespace, state }), some, `those that are ${state}`)
        }
        assert.deepEqual(
          await list(store, { namespace, operation: 'completed' }),
          matching((_, key) => key === keys.get('completed')),
          'those of an operation',
        )
        assert.deepEqual(
          await list(store, { namespace, operation: 'complete' }),
          new Map(),
          'an operation by half its name',
        )
        assert.deepEqual(
          await list(store, { namespace: namespace.slice(0, -1) }),
          new Map(),
          'a namespace by half its name',
        )
        assert.equal((await list(store, { namespace, limit: 3 })).size, 3, 'no more than `limit`')
        for (const stuckForMs of [0, LEASE_MS, 2 * LEASE_MS, 2 * LEASE_MS + 1]) {
          assertStuck(await list(store, { namespace, stuckForMs }), views, twin, stuckForMs)
        }

        const everything = await list(store, { namespace, expired: true })
        for (const [key, record] of views) assert.deepEqual(everything.get(key), record, 'live ones are listed as well')
        for (const [key, record] of everything) {
          const { expiresAt = 0, state = 'tombstone' } = twin.record(key) ?? {}
          assert.equal(record.state, state, 'an expired record is listed in its state, a forgotten one never')
          assert.equal(record.retentionRemainingMs, expiresAt / 1000 - clock.nowMs, 'what is left of its retention')
        }
        clock.nowMs += 20 * RETENTION_MS
        assert.deepEqual(await list(store, { namespace }), new Map(), 'what has expired is not listed unless asked for')
      })
    },
  },
]

/** Stuck are records in progress or released whose lease or delay was over for that long. */
function assertStuck(
  found: Map<string, Omit<ListedRecord, 'key'>>,
  views: Map<string, Omit<ListedRecord, 'key'>>,
  twin: ReturnType<typeof createTwin>,
  stuckForMs: number,
): void {
  const stuck = [...views].filter(([key, { state }]) => {
    const { leaseUntil = 0 } = twin.record(key) ?? {}
    return (state === 'in_progress' || state === 'released') && leaseUntil / 1000 + stuckForMs <= twin.clock.nowMs
  })
  assert.deepEqual(found, new Map(stuck), `those that are stuck for ${stuckForMs} ms`)
}

async function list(store: AnyStore, query: ListQuery): Promise<Map<string, Omit<ListedRecord, 'key'>>> {
  const found = new Map<string, Omit<ListedRecord, 'key'>>()
  for await (const record of store.list?.(query) ?? []) {
    assert.ok(!found.has(record.key), `${record.key} is listed twice`)
    found.set(record.key, listed(record))
  }
  return found
}

function listed(record: Omit<ListedRecord, 'key'>): Omit<ListedRecord, 'key'> {
  const { state, token, attempt, interrupted, leaseRemainingMs, retentionRemainingMs } = record
  return { state, token, attempt, interrupted, leaseRemainingMs, retentionRemainingMs }
}
