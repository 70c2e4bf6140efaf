import assert from 'node:assert/strict'
import type { Check } from '../check.ts'
import { type AnyStore, withStore, withStores } from '../harness.ts'
import { EPOCH_MS, manualClock } from '../model/side-by-side.ts'
import { freshKey } from '../tools/keys.ts'

const claim = { owner: 'owner', fingerprint: 'fingerprint', leaseMs: 60_000, retentionMs: 60_000 }

/** A wrong fixture fails here, by name, and not mysteriously later. */
export const harnessChecks: readonly Check[] = [
  {
    id: 'harness',
    title: 'the harness opens what the suite takes it for: declared capabilities, an injected clock, shared records',
    clauses: [],
    needs: [],
    async run(harness) {
      await withStore(harness, {}, async (store) => assertCapabilities(store))

      const clock = manualClock()
      await withStores(harness, 2, clock, async (stores) => {
        const [one, other] = stores as [AnyStore, AnyStore]
        const key = freshKey('harness')
        assert.equal(await one.get(key), null, 'a key that was never used must have no record')
        const begun = await one.begin(key, claim)
        assert.equal(begun.outcome, 'acquired', 'the first begin of a key must acquire it')
        assert.equal(begun.token, EPOCH_MS * 1000, '`now` must replace the clock: a first token is its time in µs')
        assert.equal((await other.get(key))?.token, begun.token, 'every store of the harness must see the same records')
        clock.nowMs += 1_000
        assert.equal((await other.get(key))?.leaseRemainingMs, 59_000, '`now` must be read anew by every operation')
      })
    },
  },
]

function assertCapabilities(store: AnyStore): void {
  const { clock, durable, shared, transactional, maxValueBytes } = store.capabilities
  const oneOf = (name: string, value: unknown, ...values: readonly unknown[]) =>
    assert.ok(
      values.includes(value),
      `capabilities.${name} must be one of ${values.join(', ')}, and is ${String(value)}`,
    )
  oneOf('clock', clock, 'store', 'host')
  oneOf('durable', durable, true, false)
  oneOf('shared', shared, 'process', 'host', 'network')
  oneOf('transactional', transactional, false, 'sync', 'async')
  assert.ok(maxValueBytes > 0, `capabilities.maxValueBytes must be a number above 0, and is ${String(maxValueBytes)}`)
  for (const method of ['bind', 'transaction'] as const) {
    assert.equal(
      typeof store[method] === 'function',
      transactional !== false,
      `a store has ${method} if it is transactional, and only then`,
    )
  }
}
