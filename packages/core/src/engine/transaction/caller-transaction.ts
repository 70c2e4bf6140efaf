/** The key in a transaction that the caller opened, and commits or rolls back. */

import type { Outcome } from '../../api/call.ts'
import { isFailAndAnswer, isRelease, isRollBack } from '../../api/handler-results.ts'
import { encodeReturned } from '../../encoding/result.ts'
import { IdempotencyInProgressError, IdempotencyInvalidOptionError, IdempotencyLeaseLostError } from '../../errors.ts'
import { derivedKeys } from '../../keys/derived-keys.ts'
import { refuseMismatch, replay } from '../call/answers.ts'
import { attemptEventOf, newClaim } from '../context/prepared-call.ts'
import { holdSilently } from '../mechanisms/lease.ts'
import type { ServedCall } from '../mechanisms/running-calls.ts'
import { stepsTaken, type UnitOfWork } from './unit-of-work.ts'

/**
 * Begins, works and settles on `tx`. Nothing is retried and nothing is released here: the caller's commit or rollback
 * decides about all of it.
 */
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

  const { attempt: number, token, interrupted } = reply
  const lease = holdSilently(prepared.policies.maxRunMs)
  call.abandon = lease.abandon
  try {
    const keyFor = await derivedKeys(instance.digest, prepared.key, prepared.fingerprint)
    instance.events.emit('started', { ...attemptEventOf(instance, prepared, reply), interrupted })
    const returned = await work(tx, { number, token, interrupted, signal: lease.signal, keyFor })
    if (isFailAndAnswer(returned)) throw returned.error
    if (isRelease(returned) || isRollBack(returned)) {
      throw new IdempotencyInvalidOptionError(
        'work',
        'cannot undo what it wrote in a transaction of the caller: throw instead',
      )
    }
    const { value, result } = await encodeReturned<T>(instance, prepared, returned)
    const { retentionMs } = prepared.policies
    const settled = await bound.transition(prepared.key, token, { to: 'completed', result, retentionMs })
    if (settled.outcome === 'ok' && settled.applied) {
      return { value, replayed: false, recorded: true, attempt: number, retentionRemainingMs: retentionMs }
    }
    throw new IdempotencyLeaseLostError('Another attempt took the key over: roll the transaction back.')
  } finally {
    lease.stop()
  }
}
