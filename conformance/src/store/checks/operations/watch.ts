import assert from 'node:assert/strict'
import type { Check } from '../../check.ts'
import { type AnyStore, withStores } from '../../harness.ts'
import { freshKey } from '../../tools/keys.ts'
import { within } from '../../tools/within.ts'
import { changes } from '../scenarios.ts'

const claim = { owner: 'owner', fingerprint: 'fingerprint', leaseMs: 3_600_000, retentionMs: 3_600_000 }

export const watchChecks: readonly Check[] = [
  {
    id: 'watch',
    title: 'a watcher that is armed hears of a change, and of nothing more once its signal aborts',
    clauses: [],
    needs: ['watch'],
    run: (harness) =>
      withStores(harness, 2, {}, async (stores) => {
        const [watching, changing] = stores as [AnyStore, AnyStore]
        for (const change of changes) {
          if (change.to === 'renew') continue // a renewal wakes nobody: the wait only becomes longer
          const key = freshKey('watch')
          const { token } = await changing.begin(key, claim)
          const change1 = await armed(watching, key)
          await changing.transition(key, token, change)
          await within(`hearing of ${change.to}`, change1.heard)
          change1.stop()
        }

        const key = freshKey('watch')
        const { token } = await changing.begin(key, claim)
        const [stopped, listening] = [await armed(watching, key), await armed(watching, key)]
        stopped.stop()
        await changing.transition(key, token, { to: 'parked', retentionMs: 3_600_000 })
        await within('hearing of it beside a watcher that stopped', listening.heard)
        listening.stop()
        assert.equal(stopped.calls, 0, 'a watcher whose signal aborted must hear nothing more')
      }),
  },
]

interface Watcher {
  readonly heard: Promise<void>
  readonly calls: number
  stop(): void
}

async function armed(store: AnyStore, key: string): Promise<Watcher> {
  const controller = new AbortController()
  let calls = 0
  let hear = () => {}
  const heard = new Promise<void>((resolve) => {
    hear = resolve
  })
  await store.watch?.(
    key,
    () => {
      calls++
      hear()
    },
    controller.signal,
  )
  return {
    heard,
    get calls() {
      return calls
    },
    stop: () => controller.abort(),
  }
}
