/**
 * A transaction in mode `single`: begin, business write and settling commit together or not at all. Duplicates wait for
 * the open transaction, as long as the store's lock time-out lets them.
 */

import type { Outcome } from '../../api/call.ts'
import { HandBack } from '../../api/handler-results.ts'
import { equal } from '../../base/bytes.ts'
import { chain } from '../../base/maybe-promise.ts'
import { backOff, instant, later, msUntil, sleep } from '../../base/timers.ts'
import type { Encoded } from '../../encoding/result.ts'
import { InProgressError } from '../../errors.ts'
import { derivedKeys } from '../../keys/derived-keys.ts'
import type { BeginReply } from '../../store/store.ts'
import { refuseMismatch, replay, replayOnly, waitOrRefuse } from '../call/answers.ts'
import { createFinish, decideOnFailure } from '../call/settlement.ts'
import { attemptEventOf, eventOf, newClaim } from '../context/prepared-call.ts'
import { holdSilently } from '../mechanisms/lease.ts'
import type { ServedCall } from '../mechanisms/running-calls.ts'
import { executeFenced } from './fenced.ts'
import { stepsTaken, type Tried, tryTransaction, type Unit, workAndSettle } from './unit-of-work.ts'

const MAX_CONFLICTS = 20
const CONFLICT_PAUSES = { firstMs: 4, maxMs: 500 }
/** Nobody can say how long a transaction stays open. */
const RETRY_AFTER_MS = 1000
const NOTHING = new Uint8Array()

export async function runSingle<Tx, T>(
  unit: Unit<Tx, T>,
  call: ServedCall,
  isDraining: () => boolean,
): Promise<Outcome<T>> {
  const { engine, task } = unit
  const claim = newClaim(task)
  const waitUntil = later(instant(), task.policies.waitMs)
  const keyFor = await derivedKeys(engine.digest, task.key, task.fingerprint)
  const lease = holdSilently(task.policies.maxRunMs)
  call.abandon = lease.abandon
  let conflicts = 0
  try {
    for (;;) {
      if (isDraining()) return await replayOnly(engine, task)
      let begun: BeginReply | undefined
      const tried = await tryTransaction(unit, (tx, bound, settling) =>
        chain(bound.begin(task.key, claim), (reply): Tried<T> | Promise<Tried<T>> => {
          if (reply.outcome !== 'acquired') return { kind: 'begun', reply }
          if (reply.checkpoint) throw stepsTaken()
          begun = reply
          const { attempt: number, token, interrupted } = reply
          engine.events.emit('started', { ...attemptEventOf(engine, task, reply), interrupted })
          return workAndSettle(unit, tx, bound, { number, token, interrupted, signal: lease.signal, keyFor }, settling)
        }),
      )
      const outcome = await conclude(tried, begun)
      if (outcome) return outcome
    }
  } finally {
    lease.stop()
  }

  /** Null: nothing is left of this try, so begin again. */
  async function conclude(tried: Tried<T>, begun: BeginReply | undefined): Promise<Outcome<T> | null> {
    switch (tried.kind) {
      case 'committed':
        return begun ? finishOf(begun).recorded(tried.encoded) : null
      case 'begun':
        return answer(tried.reply)
      case 'rolledBack':
        if (!(tried.returned instanceof HandBack))
          return settleAfterwards((finish) => finish.complete(tried.returned as T))
        return {
          value: tried.returned.value,
          replayed: false,
          recorded: false,
          attempt: begun?.attempt ?? 1,
          retentionRemainingMs: 0,
        }
      case 'unknown':
        return decideUnknown(tried.encoded, begun)
      case 'conflict':
        if (tried.error.reason === 'lock timeout') return refuseHeld()
        if (conflicts >= MAX_CONFLICTS) throw tried.error
        await sleep(backOff(conflicts, CONFLICT_PAUSES))
        conflicts++
        return null
      case 'refused':
        // what begins and settles in one transaction is refused by a store that is broken
        throw new TypeError('The store refused to settle what it had begun in the same transaction.')
      case 'failed':
        if (!begun || decideOnFailure(task.policies, tried.error) !== 'store') throw tried.error
        return settleAfterwards((finish) => finish.fail(tried.error, 'store'))
    }
  }

  function finishOf(reply: BeginReply) {
    return createFinish<T>(engine, task, reply, lease)
  }

  async function answer(reply: BeginReply): Promise<Outcome<T> | null> {
    if (reply.outcome === 'settled') return replay(engine, task, reply)
    if (reply.outcome === 'mismatch') return refuseMismatch(engine, task)
    await waitOrRefuse(engine, task, reply, msUntil(waitUntil))
    return null
  }

  /** The transaction is rolled back, and the record with it: what is to be replayed is recorded on its own. */
  async function settleAfterwards(
    settle: (finish: ReturnType<typeof finishOf>) => Promise<Outcome<T>>,
  ): Promise<Outcome<T> | null> {
    const { reply } = await engine.calls.begin(task.key, newClaim(task))
    return reply.outcome === 'acquired' ? settle(finishOf(reply)) : answer(reply)
  }

  /**
   * The answer to COMMIT was lost. A begin with the same owner waits for that transaction: acquired, it was rolled back,
   * and this call holds the key; settled with its token and its result, it committed. The token alone does not say so:
   * a rollback takes the record with it, and another call that begins in the same instant gets the same token.
   */
  async function decideUnknown(encoded: Encoded<T>, begun: BeginReply | undefined): Promise<Outcome<T> | null> {
    const { reply, sentAt } = await engine.calls.begin(task.key, claim)
    if (reply.outcome === 'acquired') return executeFenced(unit, { reply, sentAt }, call)
    const isOwn = reply.token === begun?.token && encoded.replayable && equal(reply.result ?? NOTHING, encoded.result)
    return isOwn ? finishOf(reply).recorded(encoded) : answer(reply)
  }

  function refuseHeld(): never {
    engine.events.emit('conflict', { ...eventOf(engine, task), retryAfterMs: RETRY_AFTER_MS })
    throw new InProgressError(RETRY_AFTER_MS)
  }
}
