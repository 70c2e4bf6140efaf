/** One attempt: runs the handler under its lease. */

import type { Handler } from '../../api/attempt.ts'
import type { Outcome } from '../../api/call.ts'
import { isRelease } from '../../api/handler-results.ts'
import { isPromise } from '../../base/maybe-promise.ts'
import { instant } from '../../base/timers.ts'
import type { Instance } from '../context/instance.ts'
import { OpenAttempt } from '../context/open-attempt.ts'
import type { PreparedCall } from '../context/prepared-call.ts'
import type { ServedCall } from '../mechanisms/running-calls.ts'
import type { Acquired } from '../mechanisms/store-calls.ts'
import { openSteps } from '../steps/take-steps.ts'
import { Settlement } from './settlement.ts'
import { decideTakeover } from './takeover.ts'

/** Runs the handler as the attempt that was acquired, and settles or releases the key. */
export async function execute<T>(
  instance: Instance,
  prepared: PreparedCall,
  acquired: Acquired,
  handler: Handler<T>,
  call: ServedCall,
): Promise<Outcome<T>> {
  const { interrupted } = acquired.reply
  const opened = new OpenAttempt(instance, prepared, acquired.reply)
  const now = instant()
  const lease = opened.holdLease(acquired, now)
  const settlement = new Settlement<T>(opened, lease, now.monotonic)
  call.lease = lease
  try {
    if (interrupted) instance.events.emit('takeover', () => opened.event)
    const opening = openSteps(opened, lease)
    const attempt = isPromise(opening) ? await opening : opening
    const decision = decideTakeover(prepared, acquired.reply, attempt, settlement)
    const decided: Outcome<T> | null = isPromise(decision) ? await decision : decision
    if (decided) return decided
    // the resolver may have taken longer than the lease lasted
    if (lease.abortReason) return await settlement.fail(lease.abortReason)
    instance.events.emit('started', () => ({ interrupted, ...opened.event }))
    let returned: Awaited<ReturnType<typeof handler>>
    try {
      returned = await handler(attempt)
    } catch (error) {
      return await settlement.fail(error)
    }
    const settled = isRelease(returned) ? settlement.release(returned) : settlement.complete(returned)
    return isPromise(settled) ? await settled : settled
  } finally {
    // a recording that its caller no longer waits for continues under the lease
    if (settlement.recording !== undefined) call.recording = settlement.recording.then(() => lease.stop())
    else lease.stop()
  }
}
