/**
 * A transaction in mode `fenced`: the key was begun and committed before, so that duplicates are told at once; business
 * write and settling commit together, and only if the settling was applied. A holder that was taken over rolls back.
 */

import type { Attempt } from '../../api/attempt.ts'
import type { Outcome } from '../../api/call.ts'
import { HandBack, notStarted } from '../../api/handler-results.ts'
import { chain } from '../../base/maybe-promise.ts'
import { backOff, instant, later, sleep } from '../../base/timers.ts'
import type { Encoded } from '../../encoding/result.ts'
import { LeaseLostError, OutcomeUnknownError, PoisonedError, type StoreUnavailableError } from '../../errors.ts'
import { derivedKeys } from '../../keys/derived-keys.ts'
import type { RecordView, TransitionReply } from '../../store/store.ts'
import { replay } from '../call/answers.ts'
import { leaseTerms } from '../call/execute.ts'
import { yieldToWinner } from '../call/lost-lease.ts'
import { createFinish, type Finish } from '../call/settlement.ts'
import { attemptEventOf, tellLeaseLost } from '../context/prepared-call.ts'
import { holdLease, holdSilently, type Lease } from '../mechanisms/lease.ts'
import type { ServedCall } from '../mechanisms/running-calls.ts'
import type { Acquired } from '../mechanisms/store-calls.ts'
import { stepsTaken, type Tried, tryTransaction, type Unit, workAndSettle } from './unit-of-work.ts'

const MAX_TRIES = 10
const CONFLICT_PAUSES = { firstMs: 4, maxMs: 500 }

/** The outcome of the attempt that was acquired; null: it was rolled back and the key is free, so begin again. */
export async function executeFenced<Tx, T>(
  unit: Unit<Tx, T>,
  { reply, sentAt }: Acquired,
  call: ServedCall,
): Promise<Outcome<T> | null> {
  const { engine, task, store } = unit
  const { token, attempt: number, interrupted } = reply
  const { leaseMs } = task.policies
  const told = attemptEventOf(engine, task, reply)
  const keyFor = await derivedKeys(engine.digest, task.key, task.fingerprint)
  const snapshot = store.capabilities.snapshotTransactions === true
  if (interrupted) engine.events.emit('takeover', told)
  engine.events.emit('started', { ...told, interrupted })

  let terms = leaseTerms(task, { reply, sentAt })
  for (let tries = 1; ; tries++) {
    const lease = snapshot ? holdSilently(task.policies.maxRunMs) : holdLease(engine.calls, terms, listeners())
    call.abandon = lease.abandon
    const finish = createFinish<T>(engine, task, reply, lease)
    try {
      const { maxAttempts } = task.policies
      if (reply.checkpoint) return await finish.fail(notStarted(stepsTaken()), 'retry')
      if (number > maxAttempts) return await finish.fail(new PoisonedError(maxAttempts), 'store')
      const tried = await once({ number, token, interrupted, signal: lease.signal, keyFor }, lease)
      if (tried.kind !== 'conflict' || tries >= MAX_TRIES) return await conclude(tried, finish)
    } finally {
      lease.stop()
      call.recording = finish.recording()
    }
    await sleep(backOff(tries, CONFLICT_PAUSES))
    const renewedAt = instant()
    const renewed = await engine.calls.transition(task.key, token, { to: 'renew', leaseMs })
    if (renewed.outcome === 'lost') return afterRollback(renewed.current)
    terms = { ...terms, sentAt: renewedAt, leaseRemainingMs: leaseMs }
  }

  function listeners() {
    return {
      renewed: () => engine.events.emit('renewed', told),
      lost: () => tellLeaseLost(engine, task, reply),
    }
  }

  function once(attempt: Attempt & { token: number }, lease: Lease): Promise<Tried<T>> {
    return tryTransaction(unit, (tx, bound, settling) => {
      const settle = (encoded: Encoded<T>) => {
        // a heartbeat would wait for the record until the commit, and then find it settled
        lease.stop()
        settling(encoded)
      }
      if (!snapshot) return workAndSettle(unit, tx, bound, attempt, settle)
      // the first statement fixes the snapshot: it must see the record as it is, and holds it for the transaction
      return chain(bound.transition(task.key, token, { to: 'renew', leaseMs }), (held) =>
        held.outcome === 'ok' ? workAndSettle(unit, tx, bound, attempt, settle) : { kind: 'refused', reply: held },
      )
    })
  }

  async function conclude(tried: Tried<T>, finish: Finish<T>): Promise<Outcome<T> | null> {
    switch (tried.kind) {
      case 'committed':
        return finish.recorded(tried.encoded)
      case 'rolledBack':
        return tried.returned instanceof HandBack ? finish.handBack(tried.returned) : finish.complete(tried.returned)
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
    const record = await engine.calls.get(task.key)
    return record?.token === token && record.state === 'completed'
      ? replay(engine, task, record)
      : afterRollback(record)
  }

  /** Nothing of this attempt is left: the winner's result where there is one, else a new beginning. */
  async function afterRollback(current: RecordView | null): Promise<Outcome<T> | null> {
    if (!current || current.state === 'released' || current.fingerprint !== task.fingerprint) return null
    const error = new LeaseLostError('The transaction was rolled back: another attempt took the key over. Retry.')
    return yieldToWinner<T>(engine, task, reply, { kind: 'failure', error }, current)
  }

  /**
   * The answer to COMMIT was lost. A release with the same token waits for that transaction: refused with our own result
   * in place, it committed; accepted, it never can.
   */
  async function decideUnknown(encoded: Encoded<T>, finish: Finish<T>, error: StoreUnavailableError) {
    const until = later(instant(), engine.settleTimeoutMs)
    const release = { to: 'released', delayMs: 0, retentionMs: task.policies.retentionMs } as const
    const answer = await engine.calls.transitionUntil(until, task.key, token, release)
    if (answer.outcome === 'ok') return null
    const { current } = answer
    if (!current)
      throw new OutcomeUnknownError('The answer to COMMIT was lost, and so is the record.', { cause: error })
    if (current.token === token && current.state === 'completed') return finish.recorded(encoded)
    return afterRollback(current)
  }
}
