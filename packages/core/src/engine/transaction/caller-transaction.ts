/** Settles a key in a transaction that the caller opened, and commits or rolls back. */

import type { Outcome } from '../../api/call.ts'
import { isFailAndAnswer, isRelease, isRollBack } from '../../api/handler-results.ts'
import { encodeReturned } from '../../encoding/result.ts'
import { IdempotencyInProgressError, IdempotencyInvalidOptionError, IdempotencyLeaseLostError } from '../../errors.ts'
import { refuseMismatch, replay } from '../call/answers.ts'
import { completed, recordedOutcome } from '../call/outcomes.ts'
import { HandlerAttempt } from '../context/handler-attempt.ts'
import { OpenAttempt } from '../context/open-attempt.ts'
import { newClaim } from '../context/prepared-call.ts'
import { SilentLease } from '../mechanisms/lease.ts'
import type { ServedCall } from '../mechanisms/running-calls.ts'
import { stepsTaken, type UnitOfWork } from './unit-of-work.ts'

/** Begins, works and settles on `tx`. Retries and releases nothing: the caller's commit or rollback decides. */
export async function runInCallerTransaction<Tx, T>(
  { instance, prepared, store, work }: UnitOfWork<Tx, T>,
  tx: Tx,
  call: ServedCall,
): Promise<Outcome<T>> {
  if (store.capabilities.transactional === 'sync') {
    throw new IdempotencyInvalidOptionError(
      'tx',
      'cannot be given where transactions are synchronous: let `transaction` open its own',
    )
  }
  const bound = store.bind(tx)
  const reply = await bound.begin(prepared.key, newClaim(prepared))
  if (reply.outcome === 'settled') return replay(instance, prepared, reply)
  if (reply.outcome === 'mismatch') return refuseMismatch(instance, prepared)
  if (reply.outcome === 'in_progress') throw new IdempotencyInProgressError(reply.leaseRemainingMs)
  if (reply.checkpoint) throw stepsTaken()

  const opened = new OpenAttempt(instance, prepared, reply)
  const lease = new SilentLease(instance.timers, prepared.policies.maxRunMs)
  call.lease = lease
  try {
    instance.events.emit('started', () => ({ interrupted: reply.interrupted, ...opened.event }))
    const returned = await work(tx, new HandlerAttempt(opened, lease))
    if (isFailAndAnswer(returned)) throw returned.error
    if (isRelease(returned) || isRollBack(returned)) {
      throw new IdempotencyInvalidOptionError(
        'work',
        'cannot undo what it wrote in a transaction of the caller: throw instead',
      )
    }
    const encoded = await encodeReturned<T>(prepared, returned)
    const settled = await bound.transition(prepared.key, reply.token, completed(prepared, encoded))
    if (settled.outcome === 'ok' && settled.applied) return recordedOutcome(prepared, encoded.value, reply.attempt)
    throw new IdempotencyLeaseLostError('Another attempt took the key over: roll the transaction back.')
  } finally {
    lease.stop()
  }
}
