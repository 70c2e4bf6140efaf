import assert from 'node:assert/strict'
import type { ListedRecord, RecordCount } from '@retryproof/core'
import { countRecords, type ListQuery, toListedRecord } from '@retryproof/core/store'
import type { Check } from '../../check.ts'
import { type AnyStore, withStore } from '../../harness.ts'
import { createTwin, manualClock } from '../../model/side-by-side.ts'
import { freshKey, freshNamespace } from '../../tools/keys.ts'
import { bring, LEASE_MS, live, RETENTION_MS, type Situation } from '../scenarios.ts'

type Listing = Map<string, ListedRecord>

/** More than any check here makes. */
const MOST_RECORDS = 50

export const listChecks: readonly Check[] = [
  {
    id: 'list',
    title: 'a listing shows the records that it was asked for, as `get` shows them',
    clauses: [],
    needs: ['list'],
    run: (harness) => {
      const clock = manualClock()
      return withStore(harness, clock, async (store) => {
        const twin = createTwin(store, clock)
        const namespace = freshNamespace()
        const keys = new Map<Situation, string>()
        for (const situation of ['expired', ...live, 'forgotten'] as const) {
          const key = freshKey(situation.replaceAll(' ', '-'), namespace)
          await bring(twin, situation, key)
          keys.set(situation, key)
        }
        twin.advance(3 * LEASE_MS)

        const scopes = [[...keys.values()][1]?.split('.')[2]?.slice(0, 24) ?? '', 'f'.repeat(24), '']
        const expected = (query: ListQuery): Listing => {
          const records = new Map<string, ListedRecord>()
          for (const key of keys.values()) {
            const record = twin.record(key)
            const shown = record && toListedRecord(key, record, query, clock.nowMs * 1000)
            if (shown) records.set(key, shown)
          }
          return records
        }
        for (const query of [
          {},
          ...(['in_progress', 'released', 'parked', 'completed', 'failed'] as const).map((state) => ({ state })),
          ...['completed', 'complete', 'completed.'].map((operation) => ({ operation })),
          ...scopes.map((scope) => ({ scope })),
          ...[0, LEASE_MS, 2 * LEASE_MS, 2 * LEASE_MS + 1].map((stuckForMs) => ({ stuckForMs })),
          { state: 'in_progress', stuckForMs: LEASE_MS },
        ] satisfies ListQuery[]) {
          const inNamespace = { namespace, ...query }
          assert.deepEqual(await list(store, inNamespace), expected(inNamespace), JSON.stringify(inNamespace))
          const sorted = [...expected(inNamespace).keys()].sort()
          assert.deepEqual(await pageByPage(store, inNamespace), sorted, `pages of ${JSON.stringify(inNamespace)}`)
        }
        const half = { namespace: namespace.slice(0, -1) }
        assert.deepEqual(await list(store, half), new Map(), 'half the name of a namespace is another namespace')
        assert.equal(
          (await list(store, { namespace, limit: 3 })).size,
          3,
          'a listing gives no more than `limit` records',
        )

        const all = expected({ namespace, expired: true })
        const given = await list(store, { namespace, expired: true })
        for (const [key, record] of given)
          assert.deepEqual(record, all.get(key), 'an expired record, for who asks for it')
        for (const key of expected({ namespace }).keys())
          assert.ok(given.has(key), 'those that are live are listed as well')
        clock.nowMs += 20 * RETENTION_MS
        assert.deepEqual(await list(store, { namespace }), new Map(), 'nobody asked for what has expired')
      })
    },
  },
  {
    id: 'count',
    title: 'a count gives the numbers of the live records of a namespace, by operation and state',
    clauses: [],
    needs: ['list', 'count'],
    run: (harness) => {
      const clock = manualClock()
      return withStore(harness, clock, async (store) => {
        const twin = createTwin(store, clock)
        const namespace = freshNamespace()
        const counted = async () => inOrder((await store.count?.({ namespace })) ?? [])
        assert.deepEqual(await counted(), [], 'nothing stands in a namespace that nobody has used')
        for (const operation of ['charge', 'charge-2']) {
          for (const situation of ['expired', ...live, 'forgotten'] as const) {
            await bring(twin, situation, freshKey(operation, namespace))
          }
          await bring(twin, 'completed', freshKey(operation, `${namespace}-2`))
        }
        for (let step = 0; step < 3; step++) {
          assert.deepEqual(await counted(), inOrder(await countRecords(store.list?.({ namespace }) ?? noRecords())))
          twin.advance(2 * LEASE_MS)
        }
        clock.nowMs += 20 * RETENTION_MS
        assert.deepEqual(await counted(), [], 'what has expired is not counted')
      })
    },
  },
]

async function* noRecords(): AsyncGenerator<ListedRecord> {}

function inOrder(counts: readonly RecordCount[]): readonly RecordCount[] {
  const name = ({ operation, state }: RecordCount) => `${operation} ${state}`
  return counts
    .map(({ operation, state, records, leaseExpired, longestExpiredMs }) => ({
      operation,
      state,
      records,
      leaseExpired,
      longestExpiredMs,
    }))
    .sort((a, b) => (name(a) < name(b) ? -1 : 1))
}

/** Lists pages of two records, each after the last record of the one before. */
async function pageByPage(store: AnyStore, query: ListQuery): Promise<string[]> {
  const keys: string[] = []
  for (;;) {
    const page = await list(store, { ...query, limit: 2, ...(keys.length > 0 && { after: keys.at(-1) ?? '' }) })
    if (page.size === 0) return keys
    keys.push(...page.keys())
    assert.ok(keys.length <= MOST_RECORDS, 'a listing goes on after the last record of the page before')
  }
}

async function list(store: AnyStore, query: ListQuery): Promise<Listing> {
  const found: Listing = new Map()
  for await (const record of store.list?.(query) ?? []) {
    assert.ok(!found.has(record.key), `${record.key} is listed twice`)
    const { key, leaseExpiredMs, state, token, attempt, interrupted, leaseRemainingMs, retentionRemainingMs } = record
    found.set(key, { key, leaseExpiredMs, state, token, attempt, interrupted, leaseRemainingMs, retentionRemainingMs })
  }
  return found
}
