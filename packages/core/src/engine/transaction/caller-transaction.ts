/** The key in a transaction that the caller opened, and commits or rolls back. */

import type { Outcome } from '../../api/call.ts'
import { HandBack, RollBack } from '../../api/handler-results.ts'
import { encodeReturned } from '../../encoding/result.ts'
import { InProgressError, InvalidOptionError, LeaseLostError } from '../../errors.ts'
import { derivedKeys } from '../../keys/derived-keys.ts'
import { refuseMismatch, replay } from '../call/answers.ts'
import { attemptEventOf, newClaim } from '../context/prepared-call.ts'
import { holdSilently } from '../mechanisms/lease.ts'
import type { ServedCall } from '../mechanisms/running-calls.ts'
import { stepsTaken, type Unit } from './unit-of-work.ts'

/**
 * Begins, works and settles on `tx`. Nothing is retried and nothing is released here: the caller's commit or rollback
 * decides about all of it.
 */
export async function runJoined<Tx, T>(
  { engine, task, store, work }: Unit<Tx, T>,
  tx: Tx,
  call: ServedCall,
): Promise<Outcome<T>> {
  if (store.capabilities.transactional === 'sync') {
    throw new InvalidOptionError(
      'tx',
      'cannot be given where transactions are synchronous: let `transaction` open its own',
    )
  }
  const bound = store.bind(tx)
  const reply = await bound.begin(task.key, newClaim(task))
  if (reply.outcome === 'settled') return replay(engine, task, reply)
  if (reply.outcome === 'mismatch') return refuseMismatch(engine, task)
  if (reply.outcome === 'in_progress') throw new InProgressError(reply.leaseRemainingMs)
  if (reply.checkpoint) throw stepsTaken()

  const { attempt: number, token, interrupted } = reply
  const lease = holdSilently(task.policies.maxRunMs)
  call.abandon = lease.abandon
  try {
    const keyFor = await derivedKeys(engine.digest, task.key, task.fingerprint)
    engine.events.emit('started', { ...attemptEventOf(engine, task, reply), interrupted })
    const returned = await work(tx, { number, token, interrupted, signal: lease.signal, keyFor })
    if (returned instanceof HandBack || returned instanceof RollBack) {
      throw new InvalidOptionError('work', 'cannot undo what it wrote in a transaction of the caller: throw instead')
    }
    const { value, result } = await encodeReturned<T>(engine, task, returned)
    const { retentionMs } = task.policies
    const settled = await bound.transition(task.key, token, { to: 'completed', result, retentionMs })
    if (settled.outcome === 'ok' && settled.applied) {
      return { value, replayed: false, recorded: true, attempt: number, retentionRemainingMs: retentionMs }
    }
    throw new LeaseLostError('Another attempt took the key over: roll the transaction back.')
  } finally {
    lease.stop()
  }
}
