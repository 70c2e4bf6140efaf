/** How an attempt ends: completed, failed, handed back; each recorded as well as the store allows. */

import type { Outcome } from '../../api/call.ts'
import { type HandBack, NotStarted, type Unreplayable } from '../../api/handler-results.ts'
import type { FailureDecision } from '../../api/policies.ts'
import { toMs } from '../../base/durations.ts'
import { instant, later, startTimer } from '../../base/timers.ts'
import { warn } from '../../base/warn.ts'
import { type Encoded, encodeDone, encodeFailure } from '../../encoding/result.ts'
import { OutcomeUnknownError } from '../../errors.ts'
import type { BeginReply, Change, TransitionReply } from '../../store/store.ts'
import type { Engine } from '../context/instance.ts'
import { attemptEventOf, type Task } from '../context/prepared-call.ts'
import type { Lease } from '../mechanisms/lease.ts'
import { giveOwn, type Own, yieldToWinner } from './lost-lease.ts'

/** Each member gives the caller's outcome, or throws its error. */
export interface Finish<T> {
  complete(returned: T | Unreplayable<T>): Promise<Outcome<T>>
  handBack(returned: HandBack<T>): Promise<Outcome<T>>
  /** @param decision what becomes of the failure; without it, `onFailure` decides */
  fail(error: unknown, decision?: FailureDecision): Promise<Outcome<T>>
  /** Gives the key up until somebody resolves it. @throws OutcomeUnknownError, or the winner's failure */
  park(): Promise<Outcome<T>>
  /** The outcome of what is recorded already, by a transaction that committed. */
  recorded(encoded: Encoded<T>): Outcome<T>
  /** Resolves when nothing more will be sent to the store, which may be after the caller was answered. */
  recording(): Promise<unknown>
}

type Unanswered = { readonly outcome: 'unanswered'; readonly reason: string }

export function createFinish<T>(engine: Engine, task: Task, acquired: BeginReply, lease: Lease): Finish<T> {
  const { policies } = task
  const { retentionMs } = policies
  const told = attemptEventOf(engine, task, acquired)
  const startedAt = performance.now()
  const durationMs = () => performance.now() - startedAt
  let recording: Promise<unknown> = Promise.resolve()

  /**
   * Repeats until the store answers. The caller waits for `patienceMs`; the recording goes on for `maxRun`, and `tell`
   * is called once it took, however late.
   */
  function send(change: Change, patienceMs: number, tell: () => void): Promise<TransitionReply | Unanswered> {
    const until = later(instant(), Math.max(policies.maxRunMs, patienceMs))
    const answer = engine.calls.transitionUntil(until, task.key, acquired.token, change).then(
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
    return send({ to: 'released', delayMs, retentionMs, unresolved }, engine.storeTimeoutMs, () =>
      engine.events.emit('released', { ...told, delayMs, durationMs: durationMs() }),
    )
  }

  async function storeFailure(error: unknown) {
    const result = await encodeFailure(engine, task, error)
    return send({ to: 'failed', result, retentionMs }, engine.settleTimeoutMs, () =>
      engine.events.emit('failed', { ...told, durationMs: durationMs() }),
    )
  }

  /** What an interrupted attempt did stays unknown when this one, which nobody was asked about, comes to nothing too. */
  const isStillUnknown = acquired.interrupted && policies.onTakeover === 'rerun'

  /** A handler may have acted before it threw; whoever does not simply run it again has to be told so. */
  function isUnresolved(thrown: unknown): boolean {
    return isStillUnknown || (policies.onTakeover !== 'rerun' && !(thrown instanceof NotStarted))
  }

  function tellCompleted({ replayable }: Encoded<T>): void {
    engine.events.emit('completed', { ...told, replayable, durationMs: durationMs() })
  }

  function outcomeOf({ value }: Encoded<T>): Outcome<T> {
    return { value, replayed: false, recorded: true, attempt: acquired.attempt, retentionRemainingMs: retentionMs }
  }

  return {
    recording: () => recording,

    async complete(returned) {
      const encoded = await encodeDone(engine, task, returned)
      const own: Own<T> = { kind: 'value', ...encoded }
      const change = { to: 'completed', result: encoded.result, retentionMs } as const
      const reply = await send(change, engine.settleTimeoutMs, () => tellCompleted(encoded))
      if (reply.outcome === 'unanswered') return giveOwn(engine, task, acquired, own, reply.reason)
      if (reply.outcome === 'lost') return yieldToWinner(engine, task, acquired, own, reply.current)
      return outcomeOf(encoded)
    },

    recorded(encoded) {
      tellCompleted(encoded)
      return outcomeOf(encoded)
    },

    async handBack({ value, delayMs }) {
      const own: Own<T> = { kind: 'handBack', value }
      const reply = await release(delayMs, isStillUnknown)
      if (reply.outcome === 'lost') return yieldToWinner(engine, task, acquired, own, reply.current)
      return giveOwn(engine, task, acquired, own, 'handed back')
    },

    async park() {
      const reply = await send({ to: 'parked', retentionMs }, engine.storeTimeoutMs, () =>
        engine.events.emit('parked', told),
      )
      const error = new OutcomeUnknownError()
      if (reply.outcome === 'lost') {
        return yieldToWinner(engine, task, acquired, { kind: 'failure', error }, reply.current)
      }
      throw error
    },

    async fail(thrown, decided) {
      const error = thrown instanceof NotStarted ? thrown.error : thrown
      if (lease.abandoned) throw error
      // what an attempt says that may have lost its lease binds nobody
      const decision = decided ?? (lease.signal.aborted ? 'retry' : decideOnFailure(policies, error))
      const reply =
        decision === 'store' ? await storeFailure(error) : await release(delayOf(decision), isUnresolved(thrown))
      if (reply.outcome === 'lost') {
        return yieldToWinner(engine, task, acquired, { kind: 'failure', error }, reply.current)
      }
      throw error
    },
  }
}

/** What the caller's policy says of a failure. A policy that throws decides nothing. */
export function decideOnFailure({ onFailure }: Task['policies'], error: unknown): FailureDecision {
  try {
    return onFailure(error)
  } catch (problem) {
    warn('`onFailure` threw, so the key is released', problem)
    return 'retry'
  }
}

function delayOf(decision: Exclude<FailureDecision, 'store'>): number {
  return decision === 'retry' ? 0 : toMs('onFailure.retry', decision.retry)
}
