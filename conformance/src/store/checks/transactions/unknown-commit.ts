import assert from 'node:assert/strict'
import type { Claim } from '@retryproof/core/store'
import type { Check } from '../../check.ts'
import { type AnyHarness, type AnyStore, warmUp, withStore } from '../../harness.ts'
import { appliedOf } from '../../model/history.ts'
import { freshKey } from '../../tools/keys.ts'
import { type Fate, openProxy } from '../../tools/proxy.ts'
import { transact } from '../../tools/transact.ts'
import { within } from '../../tools/within.ts'

const claim: Claim = { owner: 'owner', fingerprint: 'fingerprint', leaseMs: 3_600_000, retentionMs: 3_600_000 }
const completed = { to: 'completed', result: new Uint8Array([1]), retentionMs: claim.retentionMs } as const
const release = { to: 'released', delayMs: 0, retentionMs: claim.retentionMs } as const
/** A driver may send a COMMIT again for as long. */
const COMMIT_MS = 60_000
const ROUNDS = 3

/** Checks the answer of a store to a COMMIT whose connection was cut. */
export const unknownCommitChecks: readonly Check[] = [
  {
    id: 'C22-unknown-commit',
    title:
      'a COMMIT whose connection is cut is not told as what it was not, and a release with its token says what it was',
    clauses: ['C22', 'C9'],
    needs: ["transactional: 'async'", 'harness.server'],
    run: (harness) =>
      withStore(harness, {}, async (store) => {
        for (const fate of ['cut request', 'cut reply'] as const)
          for (let round = 0; round < ROUNDS; round++) await loseCommit(harness, store, fate)
      }),
  },
]

async function loseCommit({ server, ...harness }: AnyHarness, store: AnyStore, fate: Fate): Promise<void> {
  assert.ok(server, 'the harness gives no server')
  let next: Fate = 'pass'
  const proxy = await openProxy(server, {
    next() {
      const value = next
      next = 'pass'
      return { done: false, value }
    },
  })
  try {
    const viaProxy: AnyHarness = { ...harness, open: (options) => server.open(proxy.address, options) }
    await withStore(viaProxy, {}, async (far) => {
      await warmUp([far], 1)
      const [key, effect] = [freshKey('unknown'), freshKey('effect')]
      const { token } = await store.begin(key, claim)
      const committing = transact(far, function* (bound) {
        yield bound.transition(key, token, completed)
        yield bound.begin(effect, claim)
        // the next request of the client is its COMMIT
        next = fate
      })
      const told = await within(
        'a transaction',
        committing.then(
          () => 'committed' as const,
          (error: unknown) => appliedOf(error) ?? assert.fail(`a lost COMMIT must be StoreUnavailableError: ${error}`),
        ),
        COMMIT_MS,
      )
      const { outcome } = await within('a release', store.transition(key, token, release), COMMIT_MS)
      const record = await store.get(key)
      const committed = outcome === 'lost'
      assert.equal(record?.state, committed ? 'completed' : 'released', `${fate}: what stands after the release`)
      assert.equal((await store.get(effect)) !== null, committed, `${fate}: the write and the record must end alike`)
      if (told !== 'unknown') assert.equal(committed, told === 'committed', `${fate}: it was told as '${told}'`)
    })
    assert.ok(proxy.connections > 0, 'server.open must connect to the address that it is given')
  } finally {
    await proxy.close()
  }
}
