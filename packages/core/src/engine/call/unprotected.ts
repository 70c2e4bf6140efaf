/** Runs a handler without a record, where the store cannot be reached and the policy says to proceed. */

import type { Handler, Steps } from '../../api/attempt.ts'
import type { Outcome } from '../../api/call.ts'
import { isRelease } from '../../api/handler-results.ts'
import { type Encoded, encodeDone } from '../../encoding/result.ts'
import { StoreUnavailableError } from '../../errors.ts'
import { SteppingAttempt } from '../context/handler-attempt.ts'
import type { Instance } from '../context/instance.ts'
import { OpenAttempt } from '../context/open-attempt.ts'
import type { PreparedCall } from '../context/prepared-call.ts'
import { SilentLease } from '../mechanisms/lease.ts'
import type { ServedCall } from '../mechanisms/running-calls.ts'
import { recordAfterRelease } from './lost-lease.ts'
import { unrecordedOutcome } from './outcomes.ts'

/** The attempt that no record knows. */
const UNPROTECTED = { attempt: 1, token: 0, interrupted: false, checkpoint: null }

const UNRECORDED_STEPS: Pick<Steps<unknown>, 'step' | 'transaction'> = {
  step: async (_name, fn) => fn(),
  async transaction() {
    throw new StoreUnavailableError('There is no transaction while the store is unavailable.', { applied: 'no' })
  },
}

/** Answers the caller at once, then records its value if the store can be reached again, and else emits `unrecorded`. */
export async function runUnprotected<T>(
  instance: Instance,
  prepared: PreparedCall,
  handler: Handler<T>,
  call: ServedCall,
): Promise<Outcome<T>> {
  const opened = new OpenAttempt(instance, prepared, UNPROTECTED)
  const lease = new SilentLease(instance.timers, prepared.policies.maxRunMs)
  call.lease = lease
  try {
    const returned = await handler(new SteppingAttempt(opened, lease, [], () => UNRECORDED_STEPS))
    if (isRelease(returned)) return unrecordedOutcome(returned.value, UNPROTECTED.attempt)
    const encoded = await encodeDone<T>(prepared, returned)
    call.recording = recordLater(encoded)
    return unrecordedOutcome(encoded.value, UNPROTECTED.attempt)
  } finally {
    lease.stop()
  }

  async function recordLater(encoded: Encoded<T>): Promise<void> {
    const anew = await recordAfterRelease(instance, prepared, encoded)
    if ('recorded' in anew) return
    const reason = 'reason' in anew ? anew.reason : 'another attempt holds or settled the key'
    instance.events.emit('unrecorded', () => ({ reason, ...opened.event }))
  }
}
