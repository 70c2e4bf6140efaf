/** One attempt: the handler under its lease. */

import type { Handler } from '../../api/attempt.ts'
import type { Outcome } from '../../api/call.ts'
import { isRelease } from '../../api/handler-results.ts'
import { derivedKeys } from '../../keys/derived-keys.ts'
import type { Instance } from '../context/instance.ts'
import { attemptEventOf, type PreparedCall, tellLeaseLost } from '../context/prepared-call.ts'
import { holdLease, type LeaseTerms, withLease } from '../mechanisms/lease.ts'
import type { ServedCall } from '../mechanisms/running-calls.ts'
import type { Acquired } from '../mechanisms/store-calls.ts'
import { openSteps } from '../steps/steps.ts'
import { createSettlement } from './settlement.ts'
import { decideTakeover } from './takeover.ts'

/** Runs the handler as the attempt that was acquired, and settles or releases the key. */
export async function execute<T>(
  instance: Instance,
  prepared: PreparedCall,
  acquired: Acquired,
  handler: Handler<T>,
  call: ServedCall,
): Promise<Outcome<T>> {
  const { reply } = acquired
  const { attempt: number, token, interrupted } = reply
  const told = attemptEventOf(instance, prepared, reply)
  const lease = holdLease(instance.calls, leaseTerms(prepared, acquired), {
    renewed: () => instance.events.emit('renewed', told),
    lost: () => tellLeaseLost(instance, prepared, reply),
  })
  const finish = createSettlement<T>(instance, prepared, reply, lease)
  call.abandon = lease.abandon
  try {
    const keyFor = await derivedKeys(instance.digest, prepared.key, prepared.fingerprint)
    if (interrupted) instance.events.emit('takeover', told)
    const steps = await openSteps(instance, prepared, reply, lease)
    const attempt = withLease({ number, token, interrupted, signal: lease.signal, keyFor, ...steps }, lease)
    const decided = await decideTakeover(prepared, reply, attempt, finish)
    if (decided) return decided
    // to ask may have taken longer than the lease lasted
    if (lease.signal.aborted) return await finish.fail(lease.signal.reason)
    instance.events.emit('started', { ...told, interrupted })
    let returned: Awaited<ReturnType<typeof handler>>
    try {
      returned = await handler(attempt)
    } catch (error) {
      return await finish.fail(error)
    }
    return await (isRelease(returned) ? finish.release(returned) : finish.complete(returned))
  } finally {
    // a recording that its caller no longer waits for goes on under the lease
    call.recording = finish.recording().then(lease.stop)
  }
}

export function leaseTerms({ key, policies }: PreparedCall, { reply, sentAt }: Acquired): LeaseTerms {
  const { token, leaseRemainingMs, retentionRemainingMs } = reply
  const { leaseMs, retentionMs, maxRunMs } = policies
  return { key, token, leaseMs, retentionMs, maxRunMs, sentAt, leaseRemainingMs, retentionRemainingMs }
}
