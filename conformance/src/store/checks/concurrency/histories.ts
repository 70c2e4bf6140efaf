import assert from 'node:assert/strict'
import type { IdempotencyStore } from '@retryproof/core'
import fc from 'fast-check'
import type { Check } from '../../check.ts'
import { type AnyHarness, type AnyStore, withStores } from '../../harness.ts'
import { CLIENTS, runScripts, type Scripts, scripts } from '../../model/client-scripts.ts'
import { recordHistory } from '../../model/history.ts'
import { checkHistory } from '../../model/linearizability.ts'
import { faulty } from '../../tools/faulty.ts'
import { freshKey } from '../../tools/keys.ts'
import { forAll } from '../../tools/property.ts'
import { type Fate, openProxy } from '../../tools/proxy.ts'
import { settings } from '../../tools/settings.ts'

export const historyChecks: readonly Check[] = [
  {
    id: 'C18',
    title: 'concurrent clients are answered as if one had called after the other',
    clauses: ['C1', 'C2', 'C3', 'C4', 'C7', 'C8', 'C9', 'C15', 'C18'],
    needs: [],
    run: (harness) =>
      withStores(harness, CLIENTS, {}, (stores) =>
        forAll(scripts, settings.histories, (all) => runAndCheck(all, stores), { shrink: false }),
      ),
  },
  {
    id: 'C18-lost-replies',
    title: 'they are also when replies are lost, and calls of unknown outcome sent again',
    clauses: ['C8', 'C9', 'C18'],
    needs: [],
    run: (harness) => {
      const fault = fc.oneof(
        { arbitrary: fc.constant(null), weight: 4 },
        { arbitrary: fc.constant('lose reply' as const), weight: 1 },
      )
      const faults = fc.array(fc.array(fault, { maxLength: 8, size: 'max' }), {
        minLength: CLIENTS,
        maxLength: CLIENTS,
      })
      return withStores(harness, CLIENTS, {}, (stores) =>
        forAll(
          fc.tuple(scripts, faults),
          settings.histories,
          ([all, plans]) =>
            runAndCheck(
              all,
              stores.map((store, client) => faulty(store, plans[client] ?? [])),
            ),
          { shrink: false },
        ),
      )
    },
  },
  {
    id: 'C18-cut-connections',
    title: 'they are also when connections are cut, before the server sees a call and after',
    clauses: ['C8', 'C9', 'C18', 'C24'],
    needs: ['harness.server'],
    run: (harness) =>
      withCutStores(harness, (stores, reach) =>
        forAll(
          fc.tuple(scripts, fates),
          settings.cutHistories,
          ([all, stream]) => {
            reach.fates = stream[Symbol.iterator]()
            return runAndCheck(all, stores)
          },
          { shrink: false },
        ),
      ),
  },
]

const fates = fc.infiniteStream(
  fc.oneof<fc.WeightedArbitrary<Fate>[]>(
    { arbitrary: fc.constant('pass'), weight: 22 },
    { arbitrary: fc.constant('cut request'), weight: 1 },
    { arbitrary: fc.constant('cut reply'), weight: 2 },
  ),
)

async function runAndCheck(all: Scripts, stores: readonly IdempotencyStore<unknown>[]): Promise<void> {
  const recorded = recordHistory(stores)
  await runScripts(all, recorded.stores, freshKey('history'))
  checkHistory(recorded.history)
}

/** Opens stores that reach their server through a proxy; it cuts as `reach.fates` says. */
async function withCutStores(
  harness: AnyHarness,
  use: (stores: readonly AnyStore[], reach: { fates: Iterator<Fate> | null }) => Promise<void>,
): Promise<void> {
  const { server } = harness
  assert.ok(server, 'the harness gives no server')
  const reach: { fates: Iterator<Fate> | null } = { fates: null }
  const proxy = await openProxy(server, { next: () => reach.fates?.next() ?? { done: false, value: 'pass' } })
  try {
    const viaProxy: AnyHarness = { ...harness, open: (options) => server.open(proxy.address, options) }
    await withStores(viaProxy, CLIENTS, {}, async (stores) => {
      await use(stores, reach)
      reach.fates = null
    })
    assert.ok(proxy.connections > 0, 'server.open must connect to the address that it is given')
    assert.ok(proxy.cuts > 0, 'no connection was cut: there was nothing to see')
  } finally {
    await proxy.close()
  }
}
