import assert from 'node:assert/strict'
import { isIdempotencyError } from '@retryproof/core'
import type { Check } from '../../check.ts'
import { withStore } from '../../harness.ts'
import { appliedOf } from '../../model/history.ts'
import { inOneLine } from '../../model/readable.ts'
import { freshKey } from '../../tools/keys.ts'
import { within } from '../../tools/within.ts'
import { changes } from '../scenarios.ts'

/** The time that a client may try to reach its backend before it says that it cannot. */
const GIVE_UP_MS = 60_000

export const availabilityChecks: readonly Check[] = [
  {
    id: 'C24',
    title: 'a backend that cannot be reached makes every operation throw StoreUnavailableError',
    clauses: ['C24'],
    needs: ['harness.unreachable'],
    run: (harness) => {
      const { unreachable } = harness
      assert.ok(unreachable, 'the harness gives no unreachable store')
      return withStore({ ...harness, open: () => unreachable() }, {}, async (store) => {
        const key = freshKey('unreachable')
        const claim = { owner: 'owner', fingerprint: 'fingerprint', leaseMs: 1_000, retentionMs: 1_000 }
        const calls: [string, () => Promise<unknown>][] = [
          ['begin', () => store.begin(key, claim)],
          ['get', () => store.get(key)],
          ...changes.map((change): [string, () => Promise<unknown>] => [
            `transition to ${change.to}`,
            () => store.transition(key, 1, change),
          ]),
          ['purge', async () => store.purge?.({ limit: 1 }) ?? unavailable],
          ['list', async () => store.list?.({})[Symbol.asyncIterator]().next() ?? unavailable],
        ]
        await Promise.all(
          calls.map(async ([name, call]) => {
            const outcome = await within(
              name,
              call().catch((error: unknown) => ({ error })),
              GIVE_UP_MS,
            )
            if (outcome === unavailable) return
            const error = outcome !== null && typeof outcome === 'object' && 'error' in outcome ? outcome.error : null
            assert.ok(error, `${name} must throw, and answered ${inOneLine(outcome)}`)
            assert.ok(
              appliedOf(error) ?? isIdempotencyError(error, 'IDEMPOTENCY_STORE_CLOSED'),
              `${name} must throw StoreUnavailableError with applied 'no' or 'unknown', not ${String(error)}`,
            )
          }),
        )
      })
    },
  },
]

/** Stands for a method that the store does not have. */
const unavailable = Symbol('no such method')
