/** How an attempt ends: completed, failed, handed back; each recorded as well as the store allows. */

import type { Outcome } from '../../api/call.ts'
import { isNotStarted, isTerminal, type Release, type Unreplayable } from '../../api/handler-results.ts'
import type { FailureDecision } from '../../api/policies.ts'
import { toMs } from '../../base/durations.ts'
import { instant, later, startTimer } from '../../base/timers.ts'
import { warn } from '../../base/warn.ts'
import { type Encoded, encodeDone, encodeFailure } from '../../encoding/result.ts'
import { IdempotencyOutcomeUnknownError } from '../../errors.ts'
import type { BeginReply, Change, TransitionReply } from '../../store/store.ts'
import type { Instance } from '../context/instance.ts'
import { attemptEventOf, type PreparedCall } from '../context/prepared-call.ts'
import type { Lease } from '../mechanisms/lease.ts'
import { deferToWinner, type Own, returnUnrecorded } from './lost-lease.ts'

/** Each member gives the caller's outcome, or throws its error. */
export interface Settlement<T> {
  complete(returned: T | Unreplayable<T>): Promise<Outcome<T>>
  release(returned: Release<T>): Promise<Outcome<T>>
  /** @param decision what becomes of the failure; without it, `onFailure` decides */
  fail(error: unknown, decision?: FailureDecision): Promise<Outcome<T>>
  /** Gives the key up until somebody resolves it. @throws IdempotencyOutcomeUnknownError, or the winner's failure */
  park(): Promise<Outcome<T>>
  /** The outcome of what is recorded already, by a transaction that committed. */
  recorded(encoded: Encoded<T>): Outcome<T>
  /** Resolves when nothing more will be sent to the store, which may be after the caller was answered. */
  recording(): Promise<unknown>
}

type Unanswered = { readonly outcome: 'unanswered'; readonly reason: string }

export function createSettlement<T>(
  instance: Instance,
  prepared: PreparedCall,
  acquired: BeginReply,
  lease: Lease,
): Settlement<T> {
  const { policies } = prepared
  const { retentionMs } = policies
  const told = attemptEventOf(instance, prepared, acquired)
  const startedAt = performance.now()
  const durationMs = () => performance.now() - startedAt
  let recording: Promise<unknown> = Promise.resolve()

  /**
   * Repeats until the store answers. The caller waits for `patienceMs`; the recording goes on for `maxRun` or until the
   * lease is abandoned, keeps no process alive, and `tell` is called once it took, however late.
   */
  function send(change: Change, patienceMs: number, tell: () => void): Promise<TransitionReply | Unanswered> {
    const until = later(instant(), Math.max(policies.maxRunMs, patienceMs))
    const answer = instance.calls
      .transitionUntil(until, prepared.key, acquired.token, change, () => lease.abandoned)
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
    return send({ to: 'released', delayMs, retentionMs, unresolved }, instance.storeTimeoutMs, () =>
      instance.events.emit('released', { ...told, delayMs, durationMs: durationMs() }),
    )
  }

  async function storeFailure(error: unknown) {
    const result = await encodeFailure(instance, prepared, error)
    return send({ to: 'failed', result, retentionMs }, instance.settleTimeoutMs, () =>
      instance.events.emit('failed', { ...told, durationMs: durationMs() }),
    )
  }

  /** What an interrupted attempt did stays unknown when this one, which nobody was asked about, comes to nothing too. */
  const isStillUnknown = acquired.interrupted && policies.onTakeover === 'rerun'

  /** A handler may have acted before it threw; whoever does not simply run it again has to be told so. */
  function isUnresolved(thrown: unknown): boolean {
    return isStillUnknown || (policies.onTakeover !== 'rerun' && !isNotStarted(thrown))
  }

  function tellCompleted({ replayable }: Encoded<T>): void {
    instance.events.emit('completed', { ...told, replayable, durationMs: durationMs() })
  }

  function outcomeOf({ value }: Encoded<T>): Outcome<T> {
    return { value, replayed: false, recorded: true, attempt: acquired.attempt, retentionRemainingMs: retentionMs }
  }

  return {
    recording: () => recording,

    async complete(returned) {
      const encoded = await encodeDone(instance, prepared, returned)
      const own: Own<T> = { kind: 'value', ...encoded }
      const change = { to: 'completed', result: encoded.result, retentionMs } as const
      const reply = await send(change, instance.settleTimeoutMs, () => tellCompleted(encoded))
      if (reply.outcome === 'unanswered') return returnUnrecorded(instance, prepared, acquired, own, reply.reason)
      if (reply.outcome === 'lost') return deferToWinner(instance, prepared, acquired, own, reply.current)
      return outcomeOf(encoded)
    },

    recorded(encoded) {
      tellCompleted(encoded)
      return outcomeOf(encoded)
    },

    async release({ value, delayMs, unresolved }) {
      const own: Own<T> = { kind: 'release', value }
      const isUnknown = isStillUnknown || (unresolved && policies.onTakeover !== 'rerun')
      const reply = await release(delayMs, isUnknown)
      if (reply.outcome === 'lost') return deferToWinner(instance, prepared, acquired, own, reply.current)
      return returnUnrecorded(instance, prepared, acquired, own, 'released')
    },

    async park() {
      const reply = await send({ to: 'parked', retentionMs }, instance.storeTimeoutMs, () =>
        instance.events.emit('parked', told),
      )
      const error = new IdempotencyOutcomeUnknownError()
      if (reply.outcome === 'lost') {
        return deferToWinner(instance, prepared, acquired, { kind: 'failure', error }, reply.current)
      }
      throw error
    },

    async fail(thrown, decided) {
      const error = isNotStarted(thrown) || isTerminal(thrown) ? thrown.error : thrown
      if (lease.abandoned) throw error
      // what an attempt says that may have lost its lease binds nobody
      const decision = decided ?? (lease.signal.aborted ? 'retry' : decideOnFailure(policies, thrown))
      const reply =
        decision === 'store' ? await storeFailure(error) : await release(delayOf(decision), isUnresolved(thrown))
      if (reply.outcome === 'lost') {
        return deferToWinner(instance, prepared, acquired, { kind: 'failure', error }, reply.current)
      }
      throw error
    },
  }
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
