/** Settles an attempt: completed, failed, released or parked, recorded as well as the store allows. */

import type { Outcome } from '../../api/call.ts'
import { isNotStarted, isTerminal, type Release, type Unreplayable } from '../../api/handler-results.ts'
import type { FailureDecision } from '../../api/policies.ts'
import { toMs } from '../../base/durations.ts'
import { instant, later, startTimer } from '../../base/timers.ts'
import { warn } from '../../base/warn.ts'
import { type Encoded, encodeDone, encodeFailure } from '../../encoding/result.ts'
import { IdempotencyOutcomeUnknownError } from '../../errors.ts'
import type { Change, TransitionReply } from '../../store/store.ts'
import type { OpenAttempt } from '../context/open-attempt.ts'
import type { PreparedCall } from '../context/prepared-call.ts'
import type { Lease } from '../mechanisms/lease.ts'
import { deferToWinner, type Own, returnUnrecorded } from './lost-lease.ts'
import { completed, recordedOutcome } from './outcomes.ts'

/** Each member returns the caller's outcome, or throws its error. */
export interface Settlement<T> {
  complete(returned: T | Unreplayable<T>): Promise<Outcome<T>>
  release(returned: Release<T>): Promise<Outcome<T>>
  /** @param decision what becomes of the failure; without it, `onFailure` decides */
  fail(error: unknown, decision?: FailureDecision): Promise<Outcome<T>>
  /** Parks the key until somebody resolves it. Throws IdempotencyOutcomeUnknownError, or the winner's failure. */
  park(): Promise<Outcome<T>>
  /** Returns the outcome of a value that a committed transaction recorded. */
  recorded(encoded: Encoded<T>): Outcome<T>
  /** Resolves when nothing more will be sent to the store, which may be after the caller was answered. */
  recording(): Promise<unknown>
}

type Unanswered = { readonly outcome: 'unanswered'; readonly reason: string }

/** Keeps a key that did nothing for no longer than its client may retry it: floods of them would fill the store. */
const RELEASE_MEMORY_MS = 300_000

export function createSettlement<T>(opened: OpenAttempt, lease: Lease): Settlement<T> {
  const { instance, prepared, head, event } = opened
  const { policies } = prepared
  const { retentionMs } = policies
  const startedAt = performance.now()
  const durationMs = () => performance.now() - startedAt
  let recording: Promise<unknown> = Promise.resolve()

  /**
   * Repeats until the store answers. The caller waits for `patienceMs`; the recording continues for `maxRun` or until the
   * lease is abandoned, and keeps no process alive. Calls `tell` once it is applied, however late.
   */
  function send(change: Change, patienceMs: number, tell: () => void): Promise<TransitionReply | Unanswered> {
    const until = later(instant(), Math.max(policies.maxRunMs, patienceMs))
    const answer = instance.calls
      .transitionUntil(until, prepared.key, head.token, change, () => lease.abandoned)
      .then(
        (reply) => {
          if (reply.outcome === 'ok') tell()
          else lease.stop()
          return reply
        },
        (error: unknown): Unanswered => ({ outcome: 'unanswered', reason: String(error) }),
      )
    recording = answer
    return new Promise((resolve) => {
      const stop = startTimer(patienceMs, () =>
        resolve({ outcome: 'unanswered', reason: `the store did not answer within ${patienceMs} ms` }),
      )
      void answer.finally(stop).then(resolve)
    })
  }

  function release(delayMs: number, unresolved: boolean) {
    const isForgettable = delayMs === 0 && !unresolved && !opened.hasSteps && isForgettableCall(prepared)
    const rememberMs = isForgettable ? Math.min(retentionMs, RELEASE_MEMORY_MS) : retentionMs
    const change = { to: 'released', delayMs, retentionMs: rememberMs, unresolved, shorten: isForgettable } as const
    return send(change, instance.storeTimeoutMs, () =>
      instance.events.emit('released', { ...event, delayMs, durationMs: durationMs() }),
    )
  }

  async function storeFailure(error: unknown) {
    const result = await encodeFailure(instance.errorTypes, prepared, error)
    return send({ to: 'failed', result, retentionMs }, instance.settleTimeoutMs, () =>
      instance.events.emit('failed', { ...event, durationMs: durationMs() }),
    )
  }

  /** An earlier attempt was interrupted, and this one runs again without a resolver: if it fails too, that stays unknown. */
  const isStillUnknown = head.interrupted && policies.onTakeover === 'rerun'

  /** A failure leaves the outcome unknown, unless the policy reruns anyway or the handler threw `notStarted`. */
  function isUnresolved(thrown: unknown): boolean {
    return isStillUnknown || (policies.onTakeover !== 'rerun' && !isNotStarted(thrown))
  }

  function emitCompleted({ replayable }: Encoded<T>): void {
    instance.events.emit('completed', { ...event, replayable, durationMs: durationMs() })
  }

  return {
    recording: () => recording,

    async complete(returned) {
      const encoded = await encodeDone(prepared, returned)
      const own: Own<T> = { kind: 'value', ...encoded }
      const change = completed(prepared, encoded)
      const reply = await send(change, instance.settleTimeoutMs, () => emitCompleted(encoded))
      if (reply.outcome === 'unanswered') return returnUnrecorded(opened, own, reply.reason)
      if (reply.outcome === 'lost') return deferToWinner(opened, own, reply.current)
      return recordedOutcome(prepared, encoded.value, head.attempt)
    },

    recorded(encoded) {
      emitCompleted(encoded)
      return recordedOutcome(prepared, encoded.value, head.attempt)
    },

    async release({ value, delayMs, unresolved }) {
      const own: Own<T> = { kind: 'release', value }
      const isUnknown = isStillUnknown || (unresolved && policies.onTakeover !== 'rerun')
      const reply = await release(delayMs, isUnknown)
      if (reply.outcome === 'lost') return deferToWinner(opened, own, reply.current)
      return returnUnrecorded(opened, own, 'released')
    },

    async park() {
      const error = new IdempotencyOutcomeUnknownError()
      const reply = await send({ to: 'parked', retentionMs }, instance.storeTimeoutMs, () =>
        instance.events.emit('parked', event),
      )
      if (reply.outcome === 'lost') return deferToWinner(opened, { kind: 'failure', error }, reply.current)
      throw error
    },

    async fail(thrown, decided) {
      const error = isNotStarted(thrown) || isTerminal(thrown) ? thrown.error : thrown
      if (lease.abandoned) throw error
      // a failure of an attempt that may have lost its lease decides nothing
      const decision = decided ?? (lease.signal.aborted ? 'retry' : decideOnFailure(policies, thrown))
      const reply =
        decision === 'store' ? await storeFailure(error) : await release(delayOf(decision), isUnresolved(thrown))
      if (reply.outcome === 'lost') return deferToWinner(opened, { kind: 'failure', error }, reply.current)
      throw error
    },
  }
}

/** A kept request is for `recover`, and attempts are counted for `maxAttempts`: both need their record. */
function isForgettableCall({ policies }: PreparedCall): boolean {
  return policies.storeRequest === 'no' && policies.maxAttempts === Number.POSITIVE_INFINITY
}

/** Decides about a failure: the handler by what it threw, else the policy. A policy that throws decides nothing. */
export function decideOnFailure({ onFailure }: PreparedCall['policies'], thrown: unknown): FailureDecision {
  if (isTerminal(thrown)) return 'store'
  if (isNotStarted(thrown)) return 'retry'
  try {
    return onFailure(thrown)
  } catch (problem) {
    warn('`onFailure` threw, so the key is released', problem)
    return 'retry'
  }
}

function delayOf(decision: Exclude<FailureDecision, 'store'>): number {
  return decision === 'retry' ? 0 : toMs('onFailure.retry', decision.retry)
}
