/**
 * A transaction in mode `fenced`: the key was begun and committed before, so that duplicates are told at once; business
 * write and settling commit together, and only if the settling was applied. A holder that was taken over rolls back.
 */

import type { Attempt } from '../../api/attempt.ts'
import type { Outcome } from '../../api/call.ts'
import { isRelease, notStarted } from '../../api/handler-results.ts'
import { chain } from '../../base/maybe-promise.ts'
import { backOff, instant, later, sleep } from '../../base/timers.ts'
import type { Encoded } from '../../encoding/result.ts'
import {
  IdempotencyLeaseLostError,
  IdempotencyMaxAttemptsError,
  IdempotencyOutcomeUnknownError,
  type StoreUnavailableError,
} from '../../errors.ts'
import { derivedKeys } from '../../keys/derived-keys.ts'
import type { RecordView, TransitionReply } from '../../store/store.ts'
import { replay } from '../call/answers.ts'
import { leaseTerms } from '../call/execute.ts'
import { deferToWinner } from '../call/lost-lease.ts'
import { createSettlement, type Settlement } from '../call/settlement.ts'
import { attemptEventOf, tellLeaseLost } from '../context/prepared-call.ts'
import { holdLease, holdSilently, type Lease, withLease } from '../mechanisms/lease.ts'
import type { ServedCall } from '../mechanisms/running-calls.ts'
import type { Acquired } from '../mechanisms/store-calls.ts'
import { stepsTaken, type Tried, tryTransaction, type UnitOfWork, workAndSettle } from './unit-of-work.ts'

const MAX_TRIES = 10
const CONFLICT_PAUSES = { firstMs: 4, maxMs: 500 }

/** The outcome of the attempt that was acquired; null: it was rolled back and the key is free, so begin again. */
export async function executeFenced<Tx, T>(
  unit: UnitOfWork<Tx, T>,
  { reply, sentAt }: Acquired,
  call: ServedCall,
): Promise<Outcome<T> | null> {
  const { instance, prepared, store } = unit
  const { token, attempt: number, interrupted } = reply
  const { leaseMs } = prepared.policies
  const told = attemptEventOf(instance, prepared, reply)
  const keyFor = await derivedKeys(instance.digest, prepared.key, prepared.fingerprint)
  const snapshot = store.capabilities.snapshotTransactions === true
  if (interrupted) instance.events.emit('takeover', told)
  instance.events.emit('started', { ...told, interrupted })

  let terms = leaseTerms(prepared, { reply, sentAt })
  for (let tries = 1; ; tries++) {
    const lease = snapshot ? holdSilently(prepared.policies.maxRunMs) : holdLease(instance.calls, terms, listeners())
    call.abandon = lease.abandon
    const finish = createSettlement<T>(instance, prepared, reply, lease)
    try {
      const { maxAttempts } = prepared.policies
      if (reply.checkpoint) return await finish.fail(notStarted(stepsTaken()), 'retry')
      if (number > maxAttempts) return await finish.fail(new IdempotencyMaxAttemptsError(maxAttempts), 'store')
      const tried = await once(withLease({ number, token, interrupted, signal: lease.signal, keyFor }, lease), lease)
      if (tried.kind !== 'conflict' || tries >= MAX_TRIES) return await conclude(tried, finish)
    } finally {
      lease.stop()
      call.recording = finish.recording()
    }
    await sleep(backOff(tries, CONFLICT_PAUSES))
    const renewedAt = instant()
    const renewed = await instance.calls.transition(prepared.key, token, { to: 'renew', leaseMs })
    if (renewed.outcome === 'lost') return afterRollback(renewed.current)
    terms = { ...terms, sentAt: renewedAt, leaseRemainingMs: leaseMs }
  }

  function listeners() {
    return {
      renewed: () => instance.events.emit('renewed', told),
      lost: () => tellLeaseLost(instance, prepared, reply),
    }
  }

  function once(attempt: Attempt & { token: number }, lease: Lease): Promise<Tried<T>> {
    return tryTransaction(unit, (tx, bound, { settling, failed }) => {
      const settle = (encoded: Encoded<T>) => {
        // a heartbeat would wait for the record until the commit, and then find it settled
        lease.stop()
        settling(encoded)
      }
      const progress = { settling: settle, failed }
      if (!snapshot) return workAndSettle(unit, tx, bound, attempt, progress)
      // the first statement fixes the snapshot: it must see the record as it is, and holds it for the transaction
      return chain(bound.transition(prepared.key, token, { to: 'renew', leaseMs }), (held) =>
        held.outcome === 'ok' ? workAndSettle(unit, tx, bound, attempt, progress) : { kind: 'refused', reply: held },
      )
    })
  }

  async function conclude(tried: Tried<T>, finish: Settlement<T>): Promise<Outcome<T> | null> {
    switch (tried.kind) {
      case 'committed':
        return finish.recorded(tried.encoded)
      case 'rolledBack':
        return isRelease(tried.returned) ? finish.release(tried.returned) : finish.complete(tried.returned)
      case 'refused':
        return refused(tried.reply)
      case 'unknown':
        return decideUnknown(tried.encoded, finish, tried.error)
      case 'conflict':
      case 'failed':
        // rolled back: nothing of it happened
        return finish.fail(notStarted(tried.error))
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

  /** Nothing of this attempt is left: the winner's result where there is one, else a new beginning. */
  async function afterRollback(current: RecordView | null): Promise<Outcome<T> | null> {
    if (!current || current.state === 'released' || current.fingerprint !== prepared.fingerprint) return null
    const error = new IdempotencyLeaseLostError(
      'The transaction was rolled back: another attempt took the key over. Retry.',
    )
    return deferToWinner<T>(instance, prepared, reply, { kind: 'failure', error }, current)
  }

  /**
   * The answer to COMMIT was lost. A release with the same token waits for that transaction: refused with our own result
   * in place, it committed; accepted, it never can.
   */
  async function decideUnknown(encoded: Encoded<T>, finish: Settlement<T>, error: StoreUnavailableError) {
    const until = later(instant(), instance.settleTimeoutMs)
    const release = { to: 'released', delayMs: 0, retentionMs: prepared.policies.retentionMs } as const
    const answer = await instance.calls.transitionUntil(until, prepared.key, token, release)
    if (answer.outcome === 'ok') return null
    const { current } = answer
    if (!current)
      throw new IdempotencyOutcomeUnknownError('The answer to COMMIT was lost, and so is the record.', { cause: error })
    if (current.token === token && current.state === 'completed') return finish.recorded(encoded)
    return afterRollback(current)
  }
}
