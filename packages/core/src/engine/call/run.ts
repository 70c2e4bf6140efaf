/** Serves one call from its key to its outcome: a replay, a conflict, a wait, or an attempt of its own. */

import type { Outcome } from '../../api/call.ts'
import { isPromise } from '../../base/maybe-promise.ts'
import { instant, later, msLeft, msUntil } from '../../base/timers.ts'
import {
  type IdempotencyError,
  IdempotencyLeaseLostError,
  isIdempotencyError,
  StoreUnavailableError,
} from '../../errors.ts'
import type { RecordView } from '../../store/store.ts'
import type { Instance } from '../context/instance.ts'
import { attemptEventOf, newClaim, type PreparedCall } from '../context/prepared-call.ts'
import type { Acquired } from '../mechanisms/store-calls.ts'
import { isSettled, refuseMismatch, replay, replayIfSame, replayOnly, waitOrRefuse } from './answers.ts'

/** The most acquisitions of a key that is lost again before its handler can run. */
const MAX_ACQUISITIONS = 5

/** Returns the reason for which no attempt may begin; undefined while one may. */
export type Refusal = () => IdempotencyError | undefined

/**
 * Gives every caller the result of the one attempt that settles the key. Calls `execute` for that attempt if this call
 * acquires the key; null from it means that the key was lost and nothing was done, so that the call begins again. With a
 * `refusal`, the call only replays. Runs `unprotected` instead where the store cannot be reached.
 */
export async function run<T>(
  instance: Instance,
  prepared: PreparedCall,
  execute: (acquired: Acquired) => Promise<Outcome<T> | null>,
  refusal: Refusal,
  unprotected?: () => Promise<Outcome<T>>,
): Promise<Outcome<T>> {
  const { waitMs } = prepared.policies
  const waitUntil = waitMs > 0 ? later(instant(), waitMs) : undefined
  let acquisitions = 0
  for (;;) {
    const refused = refusal()
    if (refused) return replayOnly(instance, prepared, refused, waitUntil)
    let begun: Acquired
    try {
      const beginning = instance.calls.begin(prepared.key, newClaim(prepared))
      begun = isPromise(beginning) ? await beginning : beginning
    } catch (error) {
      if (unprotected && isIdempotencyError(error, 'IDEMPOTENCY_STORE_UNAVAILABLE')) return unprotected()
      throw error
    }
    const { reply } = begun
    switch (reply.outcome) {
      case 'settled':
        return replay(instance, prepared, reply)
      case 'mismatch':
        return refuseMismatch(instance, prepared)
      case 'in_progress': {
        const record = await waitOrRefuse(instance, prepared, reply, msLeft(waitUntil))
        if (record && isSettled(record) && isSameOrLater(record, reply)) return replayIfSame(instance, prepared, record)
        continue
      }
      case 'acquired': {
        const held = hasEnoughLease(prepared, begun) ? begun : await withEnoughLease(instance, prepared, begun)
        const refusedLate = held && refusal()
        if (refusedLate) {
          await instance.calls.giveBack(prepared.key, reply, prepared.policies)
          throw refusedLate
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

/** A shared watch may have read the record before this call did: an older record than this call saw does not count. */
function isSameOrLater(record: RecordView, seen: RecordView): boolean {
  return record.token >= seen.token
}

/** The most renewals before an attempt: a store that takes longer is too slow for the lease. */
const MAX_RENEWALS = 3

function hasEnoughLease({ policies }: PreparedCall, { reply, sentAt }: Acquired): boolean {
  return msUntil(sentAt) + reply.leaseRemainingMs >= policies.leaseMs / 2
}

/** Renews a lease of which less than half is left (a repeated or a slow begin): the attempt runs only on `ok`. */
async function withEnoughLease(
  instance: Instance,
  prepared: PreparedCall,
  acquired: Acquired,
): Promise<Acquired | null> {
  const { leaseMs, retentionMs } = prepared.policies
  const { reply } = acquired
  let held = acquired
  for (let renewals = 0; !hasEnoughLease(prepared, held); renewals++) {
    try {
      if (renewals === MAX_RENEWALS) throw tooSlow(leaseMs)
      const sentAt = instant()
      const renewed = await instance.calls.transition(prepared.key, reply.token, { to: 'renew', leaseMs, retentionMs })
      if (renewed.outcome === 'lost') {
        instance.events.emit('leaseLost', () => attemptEventOf(instance, prepared, reply))
        return null
      }
      held = { reply: { ...reply, leaseRemainingMs: leaseMs, retentionRemainingMs: leaseMs + retentionMs }, sentAt }
    } catch (error) {
      // nothing ran: releases the key in the background, since the caller has waited long enough
      void instance.calls.giveBack(prepared.key, reply, prepared.policies)
      throw error
    }
  }
  return held
}

function tooSlow(leaseMs: number): StoreUnavailableError {
  const message = `The store takes longer than half of the lease (${leaseMs} ms) to answer. Use a longer lease.`
  return new StoreUnavailableError(message, { applied: 'no' })
}
