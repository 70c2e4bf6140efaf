/** One call from its key to its outcome: replay, conflict, wait, or an attempt of its own. */

import type { Outcome } from '../../api/call.ts'
import { instant, later, msUntil } from '../../base/timers.ts'
import {
  IdempotencyDrainingError,
  IdempotencyLeaseLostError,
  isIdempotencyError,
  StoreUnavailableError,
} from '../../errors.ts'
import type { RecordView } from '../../store/store.ts'
import type { Instance } from '../context/instance.ts'
import { newClaim, type PreparedCall, tellLeaseLost } from '../context/prepared-call.ts'
import type { Acquired } from '../mechanisms/store-calls.ts'
import { isSettled, refuseMismatch, replay, replayIfSame, replayOnly, waitOrRefuse } from './answers.ts'

/** How often a key may slip away between being acquired and being run before the call gives up. */
const MAX_ACQUISITIONS = 5

/**
 * Gives everybody the result of the one attempt that settles the prepared's key. Where this call acquires the key,
 * `execute` is that attempt; null from it: the key slipped away and nothing was done, so begin again. Once `isDraining`,
 * it only replays. `unprotected` is what is done instead where the store cannot be reached.
 */
export async function run<T>(
  instance: Instance,
  prepared: PreparedCall,
  execute: (acquired: Acquired) => Promise<Outcome<T> | null>,
  isDraining: () => boolean,
  unprotected?: () => Promise<Outcome<T>>,
): Promise<Outcome<T>> {
  const waitUntil = later(instant(), prepared.policies.waitMs)
  let acquisitions = 0
  for (;;) {
    if (isDraining()) return replayOnly(instance, prepared)
    let begun: Acquired
    try {
      begun = await instance.calls.begin(prepared.key, newClaim(prepared))
    } catch (error) {
      if (unprotected && isIdempotencyError(error, 'IDEMPOTENCY_STORE_UNAVAILABLE')) return unprotected()
      throw error
    }
    const { reply, sentAt } = begun
    switch (reply.outcome) {
      case 'settled':
        return replay(instance, prepared, reply)
      case 'mismatch':
        return refuseMismatch(instance, prepared)
      case 'in_progress': {
        const record = await waitOrRefuse(instance, prepared, reply, msUntil(waitUntil))
        if (record && isSettled(record) && isSameOrLater(record, reply)) return replayIfSame(instance, prepared, record)
        continue
      }
      case 'acquired': {
        const held = await withEnoughLease(instance, prepared, { reply, sentAt })
        if (held && isDraining()) {
          await instance.calls.giveBack(prepared.key, reply, prepared.policies)
          throw new IdempotencyDrainingError()
        }
        const outcome = held && (await execute(held))
        if (outcome) return outcome
        acquisitions++
        if (acquisitions >= MAX_ACQUISITIONS)
          throw new IdempotencyLeaseLostError('The key was lost before the handler could run.')
      }
    }
  }
}

/** A shared watch may have read the record before this call did: what is older than what this call saw does not count. */
function isSameOrLater(record: RecordView, seen: RecordView): boolean {
  return record.token >= seen.token
}

/** How often a lease is renewed before its attempt: a store that is slower than that is too slow for the lease. */
const MAX_RENEWALS = 3

/** With less than half its lease left (a repeated or a slow begin) an attempt renews first, and runs only on `ok`. */
async function withEnoughLease(
  instance: Instance,
  prepared: PreparedCall,
  acquired: Acquired,
): Promise<Acquired | null> {
  const { leaseMs, retentionMs } = prepared.policies
  const { reply } = acquired
  let { leaseRemainingMs, retentionRemainingMs } = reply
  let { sentAt } = acquired
  for (let renewals = 0; msUntil(later(sentAt, leaseRemainingMs)) < leaseMs / 2; renewals++) {
    try {
      if (renewals === MAX_RENEWALS) throw tooSlow(leaseMs)
      sentAt = instant()
      const renewed = await instance.calls.transition(prepared.key, reply.token, { to: 'renew', leaseMs, retentionMs })
      if (renewed.outcome === 'lost') {
        tellLeaseLost(instance, prepared, reply)
        return null
      }
    } catch (error) {
      // nothing ran, so that nobody has to wait for the lease; the caller has waited long enough
      void instance.calls.giveBack(prepared.key, reply, prepared.policies)
      throw error
    }
    leaseRemainingMs = leaseMs
    retentionRemainingMs = leaseMs + retentionMs
  }
  return { reply: { ...reply, leaseRemainingMs, retentionRemainingMs }, sentAt }
}

function tooSlow(leaseMs: number): StoreUnavailableError {
  const message = `The store takes longer than half of the lease (${leaseMs} ms) to answer. Use a longer lease.`
  return new StoreUnavailableError(message, { applied: 'no' })
}
