/** Running without a record, because the store cannot be reached and the policy says to proceed. */

import type { Handler } from '../../api/attempt.ts'
import type { Outcome } from '../../api/call.ts'
import { isRelease } from '../../api/handler-results.ts'
import { type Encoded, encodeDone } from '../../encoding/result.ts'
import { StoreUnavailableError } from '../../errors.ts'
import { derivedKeys } from '../../keys/derived-keys.ts'
import type { Instance } from '../context/instance.ts'
import { attemptEventOf, type PreparedCall } from '../context/prepared-call.ts'
import { holdSilently } from '../mechanisms/lease.ts'
import type { ServedCall } from '../mechanisms/running-calls.ts'
import { recordAfterRelease } from './lost-lease.ts'

/** What stands in events for an attempt that no record knows. */
const UNPROTECTED = { attempt: 1, token: 0 }

/** The caller gets its value at once; whether it could be recorded after all is told by an event. */
export async function runUnprotected<T>(
  instance: Instance,
  prepared: PreparedCall,
  handler: Handler<T>,
  call: ServedCall,
): Promise<Outcome<T>> {
  const keyFor = await derivedKeys(instance.digest, prepared.key, prepared.fingerprint)
  const lease = holdSilently(prepared.policies.maxRunMs)
  call.abandon = lease.abandon
  try {
    const returned = await handler({
      number: UNPROTECTED.attempt,
      token: UNPROTECTED.token,
      interrupted: false,
      signal: lease.signal,
      keyFor,
      checkpoint: [],
      step: async (_name, fn) => fn(),
      transaction: async () => {
        throw new StoreUnavailableError('There is no transaction while the store is unavailable.', { applied: 'no' })
      },
    })
    const outcome = { replayed: false, recorded: false, attempt: UNPROTECTED.attempt, retentionRemainingMs: 0 }
    if (isRelease(returned)) return { ...outcome, value: returned.value }
    const encoded = await encodeDone<T>(instance, prepared, returned)
    call.recording = recordLater(encoded)
    return { ...outcome, value: encoded.value }
  } finally {
    lease.stop()
  }

  async function recordLater(encoded: Encoded<T>): Promise<void> {
    const anew = await recordAfterRelease(instance, prepared, encoded)
    if ('recorded' in anew) return
    const reason = 'reason' in anew ? anew.reason : 'another attempt holds or settled the key'
    instance.events.emit('unrecorded', { ...attemptEventOf(instance, prepared, UNPROTECTED), reason })
  }
}
