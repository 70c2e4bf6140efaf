/** One call from its key to its outcome: replay, conflict, wait, or an attempt of its own. */

import type { Outcome } from '../../api/call.ts'
import { instant, later, msUntil } from '../../base/timers.ts'
import { DrainingError, LeaseLostError, StoreUnavailableError } from '../../errors.ts'
import type { RecordView } from '../../store/store.ts'
import type { Engine } from '../context/instance.ts'
import { newClaim, type Task, tellLeaseLost } from '../context/prepared-call.ts'
import type { Acquired } from '../mechanisms/store-calls.ts'
import { isSettled, refuseMismatch, replay, replayIfSame, replayOnly, waitOrRefuse } from './answers.ts'

/** How often a key may slip away between being acquired and being run before the call gives up. */
const MAX_ACQUISITIONS = 5

/**
 * Gives everybody the result of the one attempt that settles the task's key. Where this call acquires the key,
 * `execute` is that attempt; null from it: the key slipped away and nothing was done, so begin again. Once `isDraining`,
 * it only replays. `unprotected` is what is done instead where the store cannot be reached.
 */
export async function run<T>(
  engine: Engine,
  task: Task,
  execute: (acquired: Acquired) => Promise<Outcome<T> | null>,
  isDraining: () => boolean,
  unprotected?: () => Promise<Outcome<T>>,
): Promise<Outcome<T>> {
  const waitUntil = later(instant(), task.policies.waitMs)
  let acquisitions = 0
  for (;;) {
    if (isDraining()) return replayOnly(engine, task)
    let begun: Acquired
    try {
      begun = await engine.calls.begin(task.key, newClaim(task))
    } catch (error) {
      if (unprotected && error instanceof StoreUnavailableError) return unprotected()
      throw error
    }
    const { reply, sentAt } = begun
    switch (reply.outcome) {
      case 'settled':
        return replay(engine, task, reply)
      case 'mismatch':
        return refuseMismatch(engine, task)
      case 'in_progress': {
        const record = await waitOrRefuse(engine, task, reply, msUntil(waitUntil))
        if (record && isSettled(record) && isSameOrLater(record, reply)) return replayIfSame(engine, task, record)
        continue
      }
      case 'acquired': {
        const held = await withEnoughLease(engine, task, { reply, sentAt })
        if (held && isDraining()) {
          await engine.calls.giveBack(task.key, reply, task.policies)
          throw new DrainingError()
        }
        const outcome = held && (await execute(held))
        if (outcome) return outcome
        acquisitions++
        if (acquisitions >= MAX_ACQUISITIONS) throw new LeaseLostError('The key was lost before the handler could run.')
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
async function withEnoughLease(engine: Engine, task: Task, acquired: Acquired): Promise<Acquired | null> {
  const { leaseMs, retentionMs } = task.policies
  const { reply } = acquired
  let { leaseRemainingMs, retentionRemainingMs } = reply
  let { sentAt } = acquired
  for (let renewals = 0; msUntil(later(sentAt, leaseRemainingMs)) < leaseMs / 2; renewals++) {
    try {
      if (renewals === MAX_RENEWALS) throw tooSlow(leaseMs)
      sentAt = instant()
      const renewed = await engine.calls.transition(task.key, reply.token, { to: 'renew', leaseMs, retentionMs })
      if (renewed.outcome === 'lost') {
        tellLeaseLost(engine, task, reply)
        return null
      }
    } catch (error) {
      // nothing ran, so that nobody has to wait for the lease; the caller has waited long enough
      void engine.calls.giveBack(task.key, reply, task.policies)
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
