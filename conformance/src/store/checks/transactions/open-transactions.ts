import assert from 'node:assert/strict'
import type { BoundStore, Change, Claim, TransitionReply } from '@retryproof/core/store'
import type { Check } from '../../check.ts'
import { type AnyStore, warmUp, withStores } from '../../harness.ts'
import { readableBytes } from '../../model/readable.ts'
import { freshKey } from '../../tools/keys.ts'
import { transact } from '../../tools/transact.ts'
import { within } from '../../tools/within.ts'

const claim: Claim = { owner: 'owner', fingerprint: 'fingerprint', leaseMs: 3_600_000, retentionMs: 3_600_000 }
const completed = (byte: number, retentionMs = 3_600_000) =>
  ({ to: 'completed', result: new Uint8Array([byte]), retentionMs }) as const

/** Calls that meet a record which a transaction has changed, and not committed yet. */
export const openTransactionChecks: readonly Check[] = [
  {
    id: 'C9-open-transaction',
    title: 'a transition that is sent again while the first one is uncommitted waits, and then changes nothing',
    clauses: ['C9', 'C22', 'C23'],
    needs: ["transactional: 'async'"],
    run: (harness) =>
      withStores(harness, 2, {}, async (stores) => {
        for (const rollsBack of [false, true]) {
          const { committed, reply, result } = await meet(stores, {
            inside: [completed(1)],
            meanwhile: completed(2),
            rollsBack,
          })
          assert.deepEqual(reply, { outcome: 'ok', applied: !committed }, `committed: ${committed}`)
          assert.equal(
            readableBytes(result),
            readableBytes(new Uint8Array([committed ? 1 : 2])),
            'the first one stands',
          )
        }
      }),
  },
  {
    id: 'C5-open-transaction',
    title: 'a record that expired while a call waited for its transaction is absent to it',
    clauses: ['C5', 'C22', 'C23'],
    needs: ["transactional: 'async'"],
    run: (harness) =>
      withStores(harness, 2, {}, async (stores) => {
        for (const ending of [completed(1, 0), { to: 'parked', retentionMs: 0 }] satisfies Change[]) {
          const inside: Change[] = [{ to: 'renew', leaseMs: claim.leaseMs }, ending]
          const { committed, reply } = await meet(stores, { inside, meanwhile: completed(2) })
          const expected = committed ? { outcome: 'lost', current: null } : { outcome: 'ok', applied: true }
          assert.deepEqual(reply, expected, `committed: ${committed}; a clock of before the wait is over`)
        }
      }),
  },
]

/** Ample for a transaction that nobody keeps waiting. */
const TRANSACTION_MS = 60_000

interface Meeting {
  /** The change that the holder makes inside its transaction. */
  readonly inside: readonly Change[]
  /** The change that is sent from outside with the same token, once the first one is done. */
  readonly meanwhile: Change
  readonly rollsBack?: boolean
}

/** Lets a call from outside meet an open transaction. If that one fails as a conflict, the call has come first. */
async function meet(
  stores: readonly AnyStore[],
  { inside, meanwhile, rollsBack = false }: Meeting,
): Promise<{ committed: boolean; reply: TransitionReply; result: Uint8Array | null | undefined }> {
  const [store, other] = stores as [AnyStore, AnyStore]
  await warmUp([other], 4)
  const key = freshKey('open')
  const { token } = await store.begin(key, claim)
  const failure = new Error('rolled back')
  let outside: Promise<TransitionReply> | undefined

  function* work(bound: BoundStore): Generator<unknown, void, unknown> {
    for (const change of inside) {
      yield bound.transition(key, token, change)
      outside ??= other.transition(key, token, meanwhile)
      outside.catch(() => {}) // it is awaited below
      // while these are answered, the call arrives where it has to wait
      for (let trips = 0; trips < 30; trips++) yield bound.get(key)
    }
    if (rollsBack) throw failure
  }

  const committed = await within('a transaction', transact(store, work), TRANSACTION_MS).then(
    () => true,
    (error: unknown) => {
      if (error !== failure && (error as { code?: unknown }).code !== 'IDEMPOTENCY_TRANSACTION_CONFLICT') throw error
      return false
    },
  )
  assert.ok(outside)
  const reply = await within('a call, once the transaction before it had ended,', outside)
  return { committed, reply, result: (await other.get(key))?.result }
}
