import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { createIdempotency, unscoped } from '@retryproof/core'
import type { Claim } from '@retryproof/core/store'
import type { Check } from '../../check.ts'
import { type AnyStore, withStores } from '../../harness.ts'
import { freshKey } from '../../tools/keys.ts'

const claim: Claim = { owner: 'owner', fingerprint: 'fingerprint', leaseMs: 3_600_000, retentionMs: 3_600_000 }

/** The promise that transactions are for, kept by the core on this store. */
export const exactlyOnceChecks: readonly Check[] = [
  {
    id: 'C22-exactly-once',
    title: 'whatever rolls back, every key has the writes of one run of its work, and everybody is told of that run',
    clauses: ['C22', 'C1', 'C9'],
    needs: ['transactional'],
    run: (harness) =>
      withStores(harness, 4, {}, async (stores) => {
        const namespace = freshKey('exactly-once')
        const effects = new Map<string, string[]>()
        const told = new Map<string, Set<string>>()
        const keys = Array.from({ length: 6 }, (_, index) => `key ${index}`)
        class DeclinedError extends Error {}

        async function pay(store: AnyStore, key: string, caller: number): Promise<void> {
          const idempotency = createIdempotency({ store, namespace, lease: '1s', onInProgress: { wait: '1s' } })
          const mode = caller % 2 === 0 ? 'fenced' : 'single'
          for (let tries = 0; tries < 100; tries++) {
            try {
              const { value } = await idempotency.transaction(
                { operation: 'pay', scope: unscoped, key },
                (tx) => {
                  // a write of the caller's own in the same database: a record that nothing keeps from being made twice
                  const effect = freshKey('effect')
                  effects.set(key, [...(effects.get(key) ?? []), effect])
                  const written = store.bind?.(tx).begin(effect, claim)
                  const end = (): string => {
                    if ((caller + tries) % 3 === 0) throw new DeclinedError()
                    return effect
                  }
                  return written instanceof Promise ? written.then(end) : end()
                },
                { mode },
              )
              told.set(key, (told.get(key) ?? new Set()).add(value))
              return
            } catch (error) {
              const { code } = error as { code?: string }
              const isAnswer = [
                'IDEMPOTENCY_IN_PROGRESS',
                'IDEMPOTENCY_TRANSACTION_CONFLICT',
                'IDEMPOTENCY_STORE_UNAVAILABLE',
              ].includes(`${code}`)
              if (!isAnswer && !(error instanceof DeclinedError)) throw error
              await sleep(5)
            }
          }
          assert.fail(`${key} was not answered in 100 tries`)
        }

        await Promise.all(keys.flatMap((key) => stores.map((store, caller) => pay(store, key, caller))))
        const [store] = stores as [AnyStore]
        for (const key of keys) {
          const written: string[] = []
          for (const effect of effects.get(key) ?? []) if (await store.get(effect)) written.push(effect)
          assert.deepEqual([...(told.get(key) ?? [])], written, `${key}: what was told, and what was written`)
          assert.equal(written.length, 1, `${key}: how many runs have written`)
        }
      }),
  },
]
