/**
 * A transaction in mode `fenced`: begins and commits the key first, so that duplicates are answered at once. Business
 * write and settling then commit together, and only if the settling was applied: a holder that lost its lease rolls back.
 */

import type { Attempt } from '../../api/attempt.ts'
import type { Outcome } from '../../api/call.ts'
import { errorOf, isRelease, isTerminal, notStarted } from '../../api/handler-results.ts'
import { type Flow, settled } from '../../base/maybe-promise.ts'
import { instant } from '../../base/timers.ts'
import type { Encoded } from '../../encoding/result.ts'
import {
  IdempotencyLeaseLostError,
  IdempotencyMaxAttemptsError,
  IdempotencyOutcomeUnknownError,
  type StoreUnavailableError,
} from '../../errors.ts'
import type { RecordView, TransitionReply } from '../../store/store.ts'
import { replay } from '../call/answers.ts'
import { deferToWinner } from '../call/lost-lease.ts'
import { Settlement } from '../call/settlement.ts'
import { HandlerAttempt } from '../context/handler-attempt.ts'
import { OpenAttempt } from '../context/open-attempt.ts'
import { createConflictPauses } from '../mechanisms/conflict-retries.ts'
import { type Lease, SilentLease } from '../mechanisms/lease.ts'
import type { ServedCall } from '../mechanisms/running-calls.ts'
import type { Acquired } from '../mechanisms/store-calls.ts'
import { stepsTaken, type Tried, tryTransaction, type UnitOfWork, workAndSettle } from './unit-of-work.ts'

/** Returns the outcome of the attempt that was acquired; null where it was rolled back and the key is free: begin again. */
export async function executeFenced<Tx, T>(
  unit: UnitOfWork<Tx, T>,
  acquired: Acquired,
  call: ServedCall,
): Promise<Outcome<T> | null> {
  const { instance, prepared, store } = unit
  const { reply } = acquired
  const { token, attempt: number, interrupted } = reply
  const { leaseMs, maxAttempts, maxRunMs } = prepared.policies
  const snapshot = store.capabilities.snapshotTransactions === true
  const opened = new OpenAttempt(instance, prepared, reply)
  const conflicts = createConflictPauses()
  if (interrupted) instance.events.emit('takeover', () => opened.event)
  instance.events.emit('started', () => ({ interrupted, ...opened.event }))

  let held = acquired
  for (;;) {
    const lease = snapshot ? new SilentLease(instance.timers, maxRunMs) : opened.holdLease(held)
    call.lease = lease
    const settlement = new Settlement<T>(opened, lease)
    try {
      if (reply.checkpoint) return await settlement.fail(notStarted(stepsTaken()), 'retry')
      if (number > maxAttempts) return await settlement.fail(new IdempotencyMaxAttemptsError(maxAttempts), 'store')
      const tried = await once(new HandlerAttempt(opened, lease), lease)
      if (tried.kind !== 'conflict' || conflicts.areOver()) return await conclude(tried, settlement)
    } finally {
      lease.stop()
      if (settlement.recording !== undefined) call.recording = settlement.recording
    }
    await conflicts.pause()
    const sentAt = instant()
    const renewed = await instance.calls.transition(prepared.key, token, { to: 'renew', leaseMs })
    if (renewed.outcome === 'lost') return afterRollback(renewed.current)
    held = { reply: { ...reply, leaseRemainingMs: leaseMs }, sentAt }
  }

  function once(attempt: Attempt, lease: Lease): Promise<Tried<T>> {
    return tryTransaction(unit, function* (tx, bound, progress): Flow<Tried<T>> {
      if (snapshot) {
        // the first statement fixes the snapshot: it must see the record as it is, and holds it for the transaction
        const renewed = yield* settled(bound.transition(prepared.key, token, { to: 'renew', leaseMs }))
        if (renewed.outcome !== 'ok') return { kind: 'refused', reply: renewed }
      }
      // a heartbeat would wait for the record until the commit, and then find it settled
      return yield* workAndSettle(unit, tx, bound, attempt, progress, () => lease.stop())
    })
  }

  async function conclude(tried: Tried<T>, settlement: Settlement<T>): Promise<Outcome<T> | null> {
    switch (tried.kind) {
      case 'committed':
        return settlement.recorded(tried.encoded)
      case 'rolledBack':
        return isRelease(tried.returned) ? settlement.release(tried.returned) : settlement.complete(tried.returned)
      case 'refused':
        return refused(tried.reply)
      case 'unknown':
        return decideUnknown(tried.encoded, settlement, tried.error)
      case 'conflict':
      case 'failed':
        if (isTerminal(tried.error)) return settlement.fail(tried.error)
        // rolled back: nothing of it happened
        return settlement.fail(notStarted(errorOf(tried.error)))
      case 'begun':
        throw new TypeError('A fenced transaction does not begin.')
    }
  }

  async function refused(answer: TransitionReply): Promise<Outcome<T> | null> {
    if (answer.outcome === 'lost') return afterRollback(answer.current)
    // an earlier try of this very attempt committed after all
    const record = await instance.calls.get(prepared.key)
    return record?.token === token && record.state === 'completed'
      ? replay(instance, prepared, record)
      : afterRollback(record)
  }

  /** Nothing of this attempt is left: returns the winner's result where there is one, else null to begin again. */
  async function afterRollback(current: RecordView | null): Promise<Outcome<T> | null> {
    if (!current || current.state === 'released' || current.fingerprint !== prepared.fingerprint) return null
    const error = new IdempotencyLeaseLostError(
      'The transaction was rolled back: another attempt took the key over. Retry.',
    )
    return deferToWinner<T>(opened, { kind: 'failure', error }, current)
  }

  /**
   * Decides after the answer to COMMIT was lost. A release with the same token waits for that transaction: refused with
   * its own result in place, it committed; accepted, it never can.
   */
  async function decideUnknown(encoded: Encoded<T>, settlement: Settlement<T>, error: StoreUnavailableError) {
    const release = { to: 'released', delayMs: 0, retentionMs: prepared.policies.retentionMs } as const
    const answer = await instance.calls.transitionWithin(instance.settleTimeoutMs, prepared.key, token, release)
    if (answer.outcome === 'ok') return null
    const { current } = answer
    if (!current)
      throw new IdempotencyOutcomeUnknownError('The answer to COMMIT was lost, and so is the record.', { cause: error })
    if (current.token === token && current.state === 'completed') return settlement.recorded(encoded)
    return afterRollback(current)
  }
}
