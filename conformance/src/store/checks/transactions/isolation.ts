import assert from 'node:assert/strict'
import { setImmediate as turn } from 'node:timers/promises'
import type { RecordView } from '@retryproof/core'
import type { BeginReply, BoundStore, Claim, TransitionReply } from '@retryproof/core/store'
import type { Check } from '../../check.ts'
import { type AnyStore, warmUp, withStores } from '../../harness.ts'
import { freshKey } from '../../tools/keys.ts'
import { settings } from '../../tools/settings.ts'
import { transact } from '../../tools/transact.ts'
import { within } from '../../tools/within.ts'

const HOUR_MS = 3_600_000
const claim: Claim = { owner: 'owner', fingerprint: 'fingerprint', leaseMs: HOUR_MS, retentionMs: HOUR_MS }
const completed = (byte: number) => ({ to: 'completed', result: new Uint8Array([byte]), retentionMs: HOUR_MS }) as const
/** Ample for a transaction that nobody keeps waiting. */
const TRANSACTION_MS = 60_000

/** Checks the records that transactions see of each other. */
export const isolationChecks: readonly Check[] = [
  {
    id: 'C22-applied',
    title: 'a result that is settled again in another transaction is not applied there, so that it rolls back',
    clauses: ['C22', 'C9'],
    needs: ['transactional'],
    run: (harness) =>
      withStores(harness, 2, {}, async (stores) => {
        const key = freshKey('applied')
        const { token } = await (stores[0] as AnyStore).begin(key, claim)
        for (const [index, store] of stores.entries()) {
          const settled = await transact(store, function* (bound) {
            return (yield bound.transition(key, token, completed(index))) as TransitionReply
          })
          assert.deepEqual(settled, { outcome: 'ok', applied: index === 0 })
        }
      }),
  },
  {
    id: 'C22-snapshot',
    title: 'a transaction is told of a record as it is now, or fails: never as it was when the transaction began',
    clauses: ['C22'],
    needs: ["transactional: 'async'"],
    run: (harness) =>
      withStores(harness, 2, {}, async (stores) => {
        for (const ask of ['get', 'begin', 'transition'] as const) {
          const [store, other] = stores as [AnyStore, AnyStore]
          const key = freshKey('snapshot')
          const { token } = await store.begin(key, { ...claim, leaseMs: 0 })
          const takeOver = () => other.begin(key, { ...claim, owner: 'other' })
          const { seen, changed } = await beside(store, takeOver, function* (bound) {
            if (ask === 'get') return (yield bound.get(key)) as RecordView
            if (ask === 'begin') return (yield bound.begin(key, { ...claim, owner: 'third' })) as BeginReply
            const reply = (yield bound.transition(key, token, completed(1))) as TransitionReply
            return reply.outcome === 'lost' ? reply.current : reply
          })
          if (seen === undefined || !changed) continue
          assert.ok(seen && 'token' in seen, `${ask}: whoever was taken over must not settle`)
          assert.equal(seen.token, changed.token, `${ask}: another attempt has taken over meanwhile`)
        }
      }),
  },
  {
    id: 'C22-renewed',
    title: 'a heartbeat beside an open transaction does not make it fail, unless the store says that it does',
    clauses: ['C22'],
    needs: ["transactional: 'async'"],
    run: (harness) =>
      withStores(harness, 2, {}, async (stores) => {
        const [store, other] = stores as [AnyStore, AnyStore]
        const key = freshKey('renewed')
        const { token } = await store.begin(key, claim)
        const renew = () => other.transition(key, token, { to: 'renew', leaseMs: 2 * HOUR_MS })
        const { seen, runs } = await beside(store, renew, function* (bound) {
          return (yield bound.transition(key, token, completed(1))) as TransitionReply
        })
        if (store.capabilities.snapshotTransactions) return
        assert.deepEqual(seen, { outcome: 'ok', applied: true }, 'else it needs capabilities.snapshotTransactions')
        assert.equal(runs, 1, 'work that had to run again needs capabilities.snapshotTransactions')
      }),
  },
  {
    id: 'C22-duplicates',
    title: 'of two transactions that begin one key at once, one acquires; the other waits for it, or fails',
    clauses: ['C22', 'C1'],
    needs: ["transactional: 'async'"],
    run: (harness) =>
      withStores(harness, 2, {}, async (stores) => {
        const [store, other] = stores as [AnyStore, AnyStore]
        await warmUp([other], 4)
        for (let round = 0; round < settings.rounds; round++) {
          const key = freshKey('duplicates')
          const rollsBack = round % 2 === 1
          const pay = (
            by: AnyStore,
            owner: string,
            whenBegun: (bound: BoundStore) => Generator<unknown, void, unknown>,
          ) =>
            conflictIsNull(
              transact(by, function* (bound) {
                const begun = (yield bound.begin(key, { ...claim, owner })) as BeginReply
                if (begun.outcome !== 'acquired') return begun
                yield* whenBegun(bound)
                yield bound.transition(key, begun.token, completed(1))
                return begun
              }),
            )
          let second: Promise<BeginReply | null> | undefined
          const failure = new Error('rolled back')
          const first = await pay(store, 'first', function* (bound) {
            second ??= pay(other, 'second', function* () {})
            second.catch(() => {}) // it is awaited below
            for (let trips = 0; trips < 20; trips++) yield bound.get(key)
            if (rollsBack) throw failure
          }).catch((error: unknown) => {
            if (error !== failure) throw error
            return null
          })
          const later = second && (await within('the second transaction', second, TRANSACTION_MS))
          const acquired = [first, later].filter((reply) => reply?.outcome === 'acquired')
          assert.ok(acquired.length <= 1, 'both have acquired the key, and committed')
          const state = (await other.get(key))?.state
          assert.equal(state, acquired.length === 1 ? 'completed' : undefined, 'the record is that of who committed')
        }
      }),
  },
  {
    id: 'C22-together',
    title: 'what a transaction did to several records can be seen of all of them, or of none',
    clauses: ['C22'],
    needs: ['transactional'],
    run: (harness) =>
      withStores(harness, 2, {}, async (stores) => {
        const [store, other] = stores as [AnyStore, AnyStore]
        await warmUp([other], 2)
        for (let round = 0; round < settings.rounds; round++) {
          const keys = Array.from({ length: 5 }, () => freshKey('together'))
          const tokens = new Map<string, number>()
          for (const key of keys) tokens.set(key, (await store.begin(key, claim)).token)
          let isOpen = true
          const watching = (async () => {
            while (isOpen) {
              await turn() // a store in memory would otherwise never come to its commit
              // in the order in which they were written, and back: whichever is seen first, the rest must be there too
              for (const order of [keys, keys.toReversed()]) {
                let seen: string | undefined
                for (const key of order) {
                  const isSettled = (await other.get(key))?.state === 'completed'
                  if (seen) assert.ok(isSettled, `${seen} was committed, and ${key} was not`)
                  if (isSettled) seen = key
                }
              }
            }
          })()
          watching.catch(() => {}) // it is awaited below
          await transact(store, function* (bound) {
            for (const [key, token] of tokens) yield bound.transition(key, token, completed(1))
          })
          isOpen = false
          await watching
        }
      }),
  },
]

/**
 * Gives the reply of `last` in a transaction whose snapshot, if it reads one, is older than `change` from outside. Undefined where
 * the transaction failed of it; `changed` is undefined where the change had to wait for the transaction.
 */
async function beside<Changed, Seen>(
  store: AnyStore,
  change: () => Promise<Changed>,
  last: (bound: BoundStore) => Generator<unknown, Seen, unknown>,
): Promise<{ seen: Seen | undefined; changed: Changed | undefined; runs: number }> {
  const elsewhere = freshKey('elsewhere')
  let outside: Promise<void> | undefined
  let changed: Changed | undefined
  let before: Changed | undefined
  let runs = 0
  const seen = await conflictIsNull(
    within(
      'a transaction',
      transact(store, function* (bound) {
        runs++
        yield bound.get(elsewhere)
        outside ??= change().then((reply) => {
          changed = reply
        })
        outside.catch(() => {}) // it is awaited below
        for (let trips = 0; trips < 30 && changed === undefined; trips++) yield bound.get(elsewhere)
        before = changed
        return yield* last(bound)
      }),
      TRANSACTION_MS,
    ),
  )
  await outside
  return { seen: seen ?? undefined, changed: before, runs }
}

/** Null where a transaction failed because of another. */
function conflictIsNull<T>(outcome: Promise<T>): Promise<T | null> {
  return outcome.catch((error: { code?: string }) => {
    if (error.code === 'IDEMPOTENCY_TRANSACTION_CONFLICT' || error.code === 'IDEMPOTENCY_UNSUPPORTED_ISOLATION')
      return null
    throw error
  })
}
