/**
 * A transaction in mode `single`: begin, business write and settling commit together or not at all. Duplicates wait for
 * the open transaction, as long as the store's lock time-out lets them.
 */

import type { Outcome } from '../../api/call.ts'
import { errorOf, isRelease } from '../../api/handler-results.ts'
import { equal } from '../../base/bytes.ts'
import { type Flow, type MaybePromise, settled } from '../../base/maybe-promise.ts'
import { instant, later, msUntil } from '../../base/timers.ts'
import type { Encoded } from '../../encoding/result.ts'
import type { BeginReply, BoundStore } from '../../store/store.ts'
import { refuseHeld, refuseMismatch, replay, replayOnly, waitOrRefuse } from '../call/answers.ts'
import { unrecordedOutcome } from '../call/outcomes.ts'
import type { Refusal } from '../call/run.ts'
import { decideOnFailure, Settlement } from '../call/settlement.ts'
import { HandlerAttempt } from '../context/handler-attempt.ts'
import { OpenAttempt } from '../context/open-attempt.ts'
import { newClaim } from '../context/prepared-call.ts'
import { createConflictPauses } from '../mechanisms/conflict-retries.ts'
import { SilentLease } from '../mechanisms/lease.ts'
import type { ServedCall } from '../mechanisms/running-calls.ts'
import { executeFenced } from './fenced.ts'
import {
  type Progress,
  stepsTaken,
  type Tried,
  tryTransaction,
  type UnitOfWork,
  workAndSettle,
} from './unit-of-work.ts'

/** A transaction may stay open for any time. */
const RETRY_AFTER_MS = 1000
const NOTHING = new Uint8Array()

export async function runSingle<Tx, T>(
  unit: UnitOfWork<Tx, T>,
  call: ServedCall,
  refusal: Refusal,
): Promise<Outcome<T>> {
  const { instance, prepared } = unit
  const claim = newClaim(prepared)
  const waitUntil = later(instant(), prepared.policies.waitMs)
  const lease = new SilentLease(instance.timers, prepared.policies.maxRunMs)
  const conflicts = createConflictPauses()
  let startedAt = performance.now()
  let settlement: Settlement<T> | undefined
  call.lease = lease
  try {
    for (;;) {
      const refused = refusal()
      if (refused) return await replayOnly(instance, prepared, refused, waitUntil)
      let begun: BeginReply | undefined
      const body = function* (tx: Tx, bound: BoundStore, progress: Progress<T>): Flow<Tried<T>> {
        const reply = yield* settled(bound.begin(prepared.key, claim))
        if (reply.outcome !== 'acquired') return { kind: 'begun', reply }
        if (reply.checkpoint) throw stepsTaken()
        begun = reply
        startedAt = performance.now()
        const opened = new OpenAttempt(instance, prepared, reply)
        instance.events.emit('started', () => ({ interrupted: reply.interrupted, ...opened.event }))
        return yield* workAndSettle(unit, tx, bound, new HandlerAttempt(opened, lease), progress)
      }
      const tried = await tryTransaction(unit, body, instance.storeTimeoutMs)
      const outcome = await conclude(tried, begun)
      if (outcome) return outcome
    }
  } finally {
    lease.stop()
    if (settlement?.recording !== undefined) call.recording = settlement.recording
  }

  /** Returns null where nothing is left of this try: begin again. */
  async function conclude(tried: Tried<T>, begun: BeginReply | undefined): Promise<Outcome<T> | null> {
    switch (tried.kind) {
      case 'committed':
        return begun ? settlementOf(begun).recorded(tried.encoded) : null
      case 'begun':
        return answer(tried.reply)
      case 'rolledBack':
        if (!isRelease(tried.returned))
          return settleAfterwards((settlement) => settlement.complete(tried.returned as T))
        return unrecordedOutcome(tried.returned.value, begun?.attempt ?? 1)
      case 'unknown':
        return decideUnknown(tried.encoded, begun)
      case 'conflict':
        if (tried.error.reason === 'lock-timeout') return refuseHeld(instance, prepared, RETRY_AFTER_MS)
        if (conflicts.areOver()) throw tried.error
        await conflicts.pause()
        return null
      case 'refused':
        // only a broken store refuses a begin and a settle in one transaction
        throw new TypeError('The store refused to settle what it had begun in the same transaction.')
      case 'failed':
        if (!begun || decideOnFailure(prepared.policies, tried.error) !== 'store') throw errorOf(tried.error)
        return settleAfterwards((settlement) => settlement.fail(tried.error, 'store'))
    }
  }

  function settlementOf(reply: BeginReply): Settlement<T> {
    settlement = new Settlement<T>(new OpenAttempt(instance, prepared, reply), lease, startedAt)
    return settlement
  }

  async function answer(reply: BeginReply): Promise<Outcome<T> | null> {
    if (reply.outcome === 'settled') return replay(instance, prepared, reply)
    if (reply.outcome === 'mismatch') return refuseMismatch(instance, prepared)
    await waitOrRefuse(instance, prepared, reply, msUntil(waitUntil))
    return null
  }

  /** Records a result on its own, after the transaction was rolled back and its record with it. */
  async function settleAfterwards(
    settle: (settlement: Settlement<T>) => MaybePromise<Outcome<T>>,
  ): Promise<Outcome<T> | null> {
    const { reply } = await instance.calls.begin(prepared.key, newClaim(prepared))
    return reply.outcome === 'acquired' ? settle(settlementOf(reply)) : answer(reply)
  }

  /**
   * Decides after the answer to COMMIT was lost. A begin with the same owner waits for that transaction: acquired, it was rolled back,
   * and this call holds the key; settled with its token and its result, it committed. The token alone does not say so:
   * a rollback takes the record with it, and another call that begins in the same instant gets the same token.
   */
  async function decideUnknown(encoded: Encoded<T>, begun: BeginReply | undefined): Promise<Outcome<T> | null> {
    const { reply, sentAt } = await instance.calls.begin(prepared.key, claim)
    if (reply.outcome === 'acquired') return executeFenced(unit, { reply, sentAt }, call)
    const isOwn = reply.token === begun?.token && encoded.replayable && equal(reply.result ?? NOTHING, encoded.result)
    return isOwn ? settlementOf(reply).recorded(encoded) : answer(reply)
  }
}
