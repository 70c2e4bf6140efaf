import assert from 'node:assert/strict'
import type { RecordView } from '@retryproof/core'
import type { BeginReply, Claim, TransitionReply } from '@retryproof/core/store'
import type { Check } from '../../check.ts'
import { type AnyStore, withStores } from '../../harness.ts'
import { readableBytes } from '../../model/readable.ts'
import { freshKey } from '../../tools/keys.ts'
import { transact } from '../../tools/transact.ts'

const claim: Claim = { owner: 'owner', fingerprint: 'fingerprint', leaseMs: 3_600_000, retentionMs: 3_600_000 }
const result = new Uint8Array([1, 2, 3])
const completed = { to: 'completed', result, retentionMs: 3_600_000 } as const

export const transactionChecks: readonly Check[] = [
  {
    id: 'C22-commit',
    title: 'what a transaction did to records is there once it has committed, and not before',
    clauses: ['C22'],
    needs: ['transactional'],
    run: (harness) =>
      withStores(harness, 2, {}, async (stores) => {
        const [store, other] = stores as [AnyStore, AnyStore]
        const [fresh, held] = [freshKey('commit'), freshKey('commit')]
        const holder = await store.begin(held, claim)
        let outside: Promise<unknown> = Promise.resolve(null)
        const returned = await transact(store, function* (bound) {
          const begun = (yield bound.begin(fresh, claim)) as BeginReply
          assert.equal(begun.outcome, 'acquired')
          if (store.capabilities.transactional === 'async') outside = other.get(fresh)
          assert.equal(
            ((yield bound.get(fresh)) as RecordView).state,
            'in_progress',
            'a transaction sees what it wrote',
          )
          for (const [key, token] of [
            [fresh, begun.token],
            [held, holder.token],
          ] as const) {
            assert.deepEqual(yield bound.transition(key, token, completed), { outcome: 'ok', applied: true })
          }
          return 'the value of the work'
        })
        assert.equal(returned, 'the value of the work')
        const seen = (await outside) as RecordView | null
        assert.ok(seen === null || seen.state === 'completed', 'nobody else sees a record that has not been committed')
        for (const key of [fresh, held]) {
          const settled = await other.begin(key, { ...claim, owner: 'other' })
          assert.equal(settled.outcome, 'settled')
          assert.equal(readableBytes(settled.result), readableBytes(result))
        }
      }),
  },
  {
    id: 'C22-rollback',
    title: 'a transaction that rolls back leaves no trace in the records',
    clauses: ['C22'],
    needs: ['transactional'],
    run: (harness) =>
      withStores(harness, 2, {}, async (stores) => {
        const [store, other] = stores as [AnyStore, AnyStore]
        const [fresh, held] = [freshKey('rollback'), freshKey('rollback')]
        const holder = await store.begin(held, claim)
        const failure = new Error('the business write failed')
        await assert.rejects(
          transact(store, function* (bound) {
            yield bound.begin(fresh, claim)
            yield bound.transition(held, holder.token, completed)
            throw failure
          }),
          failure,
        )
        assert.equal(await other.get(fresh), null, 'a record that was rolled back must not exist')
        assert.equal((await other.get(held))?.state, 'in_progress', 'a result that was rolled back must not stand')
        const begun = await other.begin(fresh, { ...claim, owner: 'other', fingerprint: 'other' })
        assert.deepEqual([begun.outcome, begun.attempt], ['acquired', 1])
        assert.deepEqual(await other.transition(held, holder.token, completed), { outcome: 'ok', applied: true })
      }),
  },
  {
    id: 'C22-fenced',
    title: 'a holder that was taken over learns so inside its transaction',
    clauses: ['C22', 'C3'],
    needs: ['transactional'],
    run: (harness) =>
      withStores(harness, 2, {}, async (stores) => {
        const [store, other] = stores as [AnyStore, AnyStore]
        const key = freshKey('fenced')
        const zombie = await store.begin(key, { ...claim, leaseMs: 0 })
        const holder = await other.begin(key, { ...claim, owner: 'other' })
        await transact(store, function* (bound) {
          const { outcome } = (yield bound.transition(key, zombie.token, completed)) as TransitionReply
          assert.equal(outcome, 'lost')
        })
        assert.deepEqual(await other.transition(key, holder.token, completed), { outcome: 'ok', applied: true })
      }),
  },
]
