/**
 * A transaction in mode `single`: begin, business write and settling commit together or not at all. Duplicates wait for
 * the open transaction, as long as the store's lock time-out lets them.
 */

import type { Outcome } from '../../api/call.ts'
import { isRelease } from '../../api/handler-results.ts'
import { equal } from '../../base/bytes.ts'
import { chain } from '../../base/maybe-promise.ts'
import { backOff, instant, later, msUntil, sleep } from '../../base/timers.ts'
import type { Encoded } from '../../encoding/result.ts'
import { IdempotencyInProgressError } from '../../errors.ts'
import { derivedKeys } from '../../keys/derived-keys.ts'
import type { BeginReply } from '../../store/store.ts'
import { refuseMismatch, replay, replayOnly, waitOrRefuse } from '../call/answers.ts'
import { createSettlement, decideOnFailure } from '../call/settlement.ts'
import { attemptEventOf, eventOf, newClaim } from '../context/prepared-call.ts'
import { holdSilently } from '../mechanisms/lease.ts'
import type { ServedCall } from '../mechanisms/running-calls.ts'
import { executeFenced } from './fenced.ts'
import { stepsTaken, type Tried, tryTransaction, type UnitOfWork, workAndSettle } from './unit-of-work.ts'

const MAX_CONFLICTS = 20
const CONFLICT_PAUSES = { firstMs: 4, maxMs: 500 }
/** Nobody can say how long a transaction stays open. */
const RETRY_AFTER_MS = 1000
const NOTHING = new Uint8Array()

export async function runSingle<Tx, T>(
  unit: UnitOfWork<Tx, T>,
  call: ServedCall,
  isDraining: () => boolean,
): Promise<Outcome<T>> {
  const { instance, prepared } = unit
  const claim = newClaim(prepared)
  const waitUntil = later(instant(), prepared.policies.waitMs)
  const keyFor = await derivedKeys(instance.digest, prepared.key, prepared.fingerprint)
  const lease = holdSilently(prepared.policies.maxRunMs)
  call.abandon = lease.abandon
  let conflicts = 0
  try {
    for (;;) {
      if (isDraining()) return await replayOnly(instance, prepared)
      let begun: BeginReply | undefined
      const tried = await tryTransaction(unit, (tx, bound, progress) =>
        chain(bound.begin(prepared.key, claim), (reply): Tried<T> | Promise<Tried<T>> => {
          if (reply.outcome !== 'acquired') return { kind: 'begun', reply }
          if (reply.checkpoint) throw stepsTaken()
          begun = reply
          const { attempt: number, token, interrupted } = reply
          instance.events.emit('started', { ...attemptEventOf(instance, prepared, reply), interrupted })
          return workAndSettle(unit, tx, bound, { number, token, interrupted, signal: lease.signal, keyFor }, progress)
        }),
      )
      const outcome = await conclude(tried, begun)
      if (outcome) return outcome
    }
  } finally {
    lease.stop()
  }

  /** Null: nothing is left of this try, so begin again. */
  async function conclude(tried: Tried<T>, begun: BeginReply | undefined): Promise<Outcome<T> | null> {
    switch (tried.kind) {
      case 'committed':
        return begun ? finishOf(begun).recorded(tried.encoded) : null
      case 'begun':
        return answer(tried.reply)
      case 'rolledBack':
        if (!isRelease(tried.returned)) return settleAfterwards((finish) => finish.complete(tried.returned as T))
        return {
          value: tried.returned.value,
          replayed: false,
          recorded: false,
          attempt: begun?.attempt ?? 1,
          retentionRemainingMs: 0,
        }
      case 'unknown':
        return decideUnknown(tried.encoded, begun)
      case 'conflict':
        if (tried.error.reason === 'lock-timeout') return refuseHeld()
        if (conflicts >= MAX_CONFLICTS) throw tried.error
        await sleep(backOff(conflicts, CONFLICT_PAUSES))
        conflicts++
        return null
      case 'refused':
        // what begins and settles in one transaction is refused by a store that is broken
        throw new TypeError('The store refused to settle what it had begun in the same transaction.')
      case 'failed':
        if (!begun || decideOnFailure(prepared.policies, tried.error) !== 'store') throw tried.error
        return settleAfterwards((finish) => finish.fail(tried.error, 'store'))
    }
  }

  function finishOf(reply: BeginReply) {
    return createSettlement<T>(instance, prepared, reply, lease)
  }

  async function answer(reply: BeginReply): Promise<Outcome<T> | null> {
    if (reply.outcome === 'settled') return replay(instance, prepared, reply)
    if (reply.outcome === 'mismatch') return refuseMismatch(instance, prepared)
    await waitOrRefuse(instance, prepared, reply, msUntil(waitUntil))
    return null
  }

  /** The transaction is rolled back, and the record with it: what is to be replayed is recorded on its own. */
  async function settleAfterwards(
    settle: (finish: ReturnType<typeof finishOf>) => Promise<Outcome<T>>,
  ): Promise<Outcome<T> | null> {
    const { reply } = await instance.calls.begin(prepared.key, newClaim(prepared))
    return reply.outcome === 'acquired' ? settle(finishOf(reply)) : answer(reply)
  }

  /**
   * The answer to COMMIT was lost. A begin with the same owner waits for that transaction: acquired, it was rolled back,
   * and this call holds the key; settled with its token and its result, it committed. The token alone does not say so:
   * a rollback takes the record with it, and another call that begins in the same instant gets the same token.
   */
  async function decideUnknown(encoded: Encoded<T>, begun: BeginReply | undefined): Promise<Outcome<T> | null> {
    const { reply, sentAt } = await instance.calls.begin(prepared.key, claim)
    if (reply.outcome === 'acquired') return executeFenced(unit, { reply, sentAt }, call)
    const isOwn = reply.token === begun?.token && encoded.replayable && equal(reply.result ?? NOTHING, encoded.result)
    return isOwn ? finishOf(reply).recorded(encoded) : answer(reply)
  }

  function refuseHeld(): never {
    instance.events.emit('conflict', { ...eventOf(instance, prepared), retryAfterMs: RETRY_AFTER_MS })
    throw new IdempotencyInProgressError(RETRY_AFTER_MS)
  }
}
