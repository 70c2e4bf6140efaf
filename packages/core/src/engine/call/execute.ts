/** One attempt: the handler under its lease. */

import type { Handler } from '../../api/attempt.ts'
import type { Outcome } from '../../api/call.ts'
import { HandBack } from '../../api/handler-results.ts'
import { derivedKeys } from '../../keys/derived-keys.ts'
import type { Engine } from '../context/instance.ts'
import { attemptEventOf, type Task, tellLeaseLost } from '../context/prepared-call.ts'
import { holdLease, type LeaseTerms } from '../mechanisms/lease.ts'
import type { ServedCall } from '../mechanisms/running-calls.ts'
import type { Acquired } from '../mechanisms/store-calls.ts'
import { openSteps } from '../steps/steps.ts'
import { createFinish } from './settlement.ts'
import { decideTakeover } from './takeover.ts'

/** Runs the handler as the attempt that was acquired, and settles or releases the key. */
export async function execute<T>(
  engine: Engine,
  task: Task,
  acquired: Acquired,
  handler: Handler<T>,
  call: ServedCall,
): Promise<Outcome<T>> {
  const { reply } = acquired
  const { attempt: number, token, interrupted } = reply
  const told = attemptEventOf(engine, task, reply)
  const lease = holdLease(engine.calls, leaseTerms(task, acquired), {
    renewed: () => engine.events.emit('renewed', told),
    lost: () => tellLeaseLost(engine, task, reply),
  })
  const finish = createFinish<T>(engine, task, reply, lease)
  call.abandon = lease.abandon
  try {
    const keyFor = await derivedKeys(engine.digest, task.key, task.fingerprint)
    if (interrupted) engine.events.emit('takeover', told)
    const steps = await openSteps(engine, task, reply, lease)
    const attempt = { number, token, interrupted, signal: lease.signal, keyFor, ...steps }
    const decided = await decideTakeover(task, reply, attempt, finish)
    if (decided) return decided
    // to ask may have taken longer than the lease lasted
    if (lease.signal.aborted) return await finish.fail(lease.signal.reason)
    engine.events.emit('started', { ...told, interrupted })
    let returned: Awaited<ReturnType<typeof handler>>
    try {
      returned = await handler(attempt)
    } catch (error) {
      return await finish.fail(error)
    }
    return await (returned instanceof HandBack ? finish.handBack(returned) : finish.complete(returned))
  } finally {
    // a recording that its caller no longer waits for goes on under the lease
    call.recording = finish.recording().then(lease.stop)
  }
}

export function leaseTerms({ key, policies }: Task, { reply, sentAt }: Acquired): LeaseTerms {
  const { token, leaseRemainingMs, retentionRemainingMs } = reply
  const { leaseMs, retentionMs, maxRunMs } = policies
  return { key, token, leaseMs, retentionMs, maxRunMs, sentAt, leaseRemainingMs, retentionRemainingMs }
}
