/** Settles an attempt: completed, failed, released or parked, recorded as well as the store allows. */

import type { Outcome } from '../../api/call.ts'
import { errorOf, isNotStarted, isTerminal, type Release, type Unreplayable } from '../../api/handler-results.ts'
import type { FailureDecision } from '../../api/policies.ts'
import { toMs } from '../../base/durations.ts'
import { after, isPromise, type MaybePromise } from '../../base/maybe-promise.ts'
import type { Timed, TimerQueue } from '../../base/timer-queue.ts'
import { warn } from '../../base/warn.ts'
import { type Encoded, encodeDone, encodeFailure } from '../../encoding/result.ts'
import { IdempotencyOutcomeUnknownError } from '../../errors.ts'
import type { Change, TransitionReply } from '../../store/store.ts'
import type { OpenAttempt } from '../context/open-attempt.ts'
import type { PreparedCall } from '../context/prepared-call.ts'
import type { Lease } from '../mechanisms/lease.ts'
import { deferToWinner, type Own, returnUnrecorded } from './lost-lease.ts'
import { completed, recordedOutcome } from './outcomes.ts'

type Unanswered = { readonly outcome: 'unanswered'; readonly reason: string }

/** Keeps a key that did nothing for no longer than its client may retry it: floods of them would fill the store. */
const RELEASE_MEMORY_MS = 300_000

/** Each method returns the caller's outcome, or throws its error. */
export class Settlement<T> {
  /** Set while something is being sent to the store, which may outlast the caller's answer. Resolves when it is over. */
  recording: Promise<unknown> | undefined
  readonly #opened: OpenAttempt
  readonly #lease: Lease
  readonly #startedAt: number

  /** @param startedAt the beginning of the attempt, by the monotonic clock */
  constructor(opened: OpenAttempt, lease: Lease, startedAt = performance.now()) {
    this.#opened = opened
    this.#lease = lease
    this.#startedAt = startedAt
  }

  complete(returned: T | Unreplayable<T>): MaybePromise<Outcome<T>> {
    return after(encodeDone(this.#opened.prepared, returned), (encoded) => this.#record(encoded))
  }

  #record(encoded: Encoded<T>): MaybePromise<Outcome<T>> {
    const { instance, prepared, head } = this.#opened
    const sent = this.#send(completed(prepared, encoded), instance.settleTimeoutMs, () => this.#emitCompleted(encoded))
    return after(sent, (reply) => {
      if (reply.outcome === 'ok') return recordedOutcome(prepared, encoded.value, head.attempt)
      const own: Own<T> = { kind: 'value', ...encoded }
      if (reply.outcome === 'unanswered') return returnUnrecorded(this.#opened, own, reply.reason)
      return deferToWinner(this.#opened, own, reply.current)
    })
  }

  /** Returns the outcome of a value that a committed transaction recorded. */
  recorded(encoded: Encoded<T>): Outcome<T> {
    const { prepared, head } = this.#opened
    this.#emitCompleted(encoded)
    return recordedOutcome(prepared, encoded.value, head.attempt)
  }

  async release({ value, delayMs, unresolved }: Release<T>): Promise<Outcome<T>> {
    const own: Own<T> = { kind: 'release', value }
    const isUnknown = this.#isStillUnknown() || (unresolved && this.#policies.onTakeover !== 'rerun')
    const reply = await this.#sendRelease(delayMs, isUnknown)
    if (reply.outcome === 'lost') return deferToWinner(this.#opened, own, reply.current)
    return returnUnrecorded(this.#opened, own, 'released')
  }

  /** Parks the key until somebody resolves it. Throws IdempotencyOutcomeUnknownError, or the winner's failure. */
  async park(): Promise<Outcome<T>> {
    const { instance } = this.#opened
    const error = new IdempotencyOutcomeUnknownError()
    const change: Change = { to: 'parked', retentionMs: this.#policies.retentionMs }
    const reply = await this.#send(change, instance.storeTimeoutMs, () =>
      instance.events.emit('parked', () => this.#opened.event),
    )
    if (reply.outcome === 'lost') return deferToWinner(this.#opened, { kind: 'failure', error }, reply.current)
    throw error
  }

  /** @param decided what becomes of the failure; without it, `onFailure` decides */
  async fail(thrown: unknown, decided?: FailureDecision): Promise<Outcome<T>> {
    const error = errorOf(thrown)
    if (this.#lease.abandoned) throw error
    // a failure of an attempt that may have lost its lease decides nothing
    const decision = decided ?? (this.#lease.abortReason ? 'retry' : decideOnFailure(this.#policies, thrown))
    const reply =
      decision === 'store'
        ? await this.#storeFailure(error)
        : await this.#sendRelease(delayOf(decision), this.#isUnresolved(thrown))
    if (reply.outcome === 'lost') return deferToWinner(this.#opened, { kind: 'failure', error }, reply.current)
    throw error
  }

  get #policies(): PreparedCall['policies'] {
    return this.#opened.prepared.policies
  }

  /**
   * Repeats until the store answers. The caller waits for `patienceMs`; the recording continues for `maxRun` or until the
   * lease is abandoned, and keeps no process alive. Calls `tell` once it is applied, however late.
   */
  #send(change: Change, patienceMs: number, tell: () => void): MaybePromise<TransitionReply | Unanswered> {
    const { instance, prepared, head } = this.#opened
    const lease = this.#lease
    lease.settling()
    const withinMs = Math.max(this.#policies.maxRunMs, patienceMs)
    const answered = (reply: TransitionReply) => {
      if (reply.outcome === 'ok') tell()
      else lease.stop()
      return reply
    }
    const sent = instance.calls.transitionWithin(withinMs, prepared.key, head.token, change, () => lease.abandoned)
    if (!isPromise(sent)) return answered(sent)
    return new Promise((resolve) => {
      const patience = new Patience(instance.timers, patienceMs, resolve)
      this.recording = sent.then(
        (reply) => {
          this.recording = undefined
          patience.answer(answered(reply))
        },
        (error: unknown) => {
          this.recording = undefined
          patience.answer({ outcome: 'unanswered', reason: String(error) })
        },
      )
    })
  }

  #sendRelease(delayMs: number, unresolved: boolean): MaybePromise<TransitionReply | Unanswered> {
    const { instance, prepared, hasSteps } = this.#opened
    const { retentionMs } = this.#policies
    const isForgettable = delayMs === 0 && !unresolved && !hasSteps && isForgettableCall(prepared)
    const rememberMs = isForgettable ? Math.min(retentionMs, RELEASE_MEMORY_MS) : retentionMs
    const change = { to: 'released', delayMs, retentionMs: rememberMs, unresolved, shorten: isForgettable } as const
    return this.#send(change, instance.storeTimeoutMs, () =>
      instance.events.emit('released', () => ({ delayMs, durationMs: this.#durationMs(), ...this.#opened.event })),
    )
  }

  async #storeFailure(error: unknown): Promise<TransitionReply | Unanswered> {
    const { instance, prepared } = this.#opened
    const result = await encodeFailure(instance.errorTypes, prepared, error)
    const change: Change = { to: 'failed', result, retentionMs: this.#policies.retentionMs, immutable: true }
    return this.#send(change, instance.settleTimeoutMs, () =>
      instance.events.emit('failed', () => ({ durationMs: this.#durationMs(), ...this.#opened.event })),
    )
  }

  #emitCompleted({ replayable }: Encoded<T>): void {
    const { instance } = this.#opened
    instance.events.emit('completed', () => ({
      replayable,
      durationMs: this.#durationMs(),
      ...this.#opened.event,
    }))
  }

  #durationMs(): number {
    return performance.now() - this.#startedAt
  }

  /** An earlier attempt was interrupted, and this one runs again without a resolver: if it fails too, that stays unknown. */
  #isStillUnknown(): boolean {
    return this.#opened.head.interrupted && this.#policies.onTakeover === 'rerun'
  }

  /** A failure leaves the outcome unknown, unless the policy reruns anyway or the handler threw `notStarted`. */
  #isUnresolved(thrown: unknown): boolean {
    return this.#isStillUnknown() || (this.#policies.onTakeover !== 'rerun' && !isNotStarted(thrown))
  }
}

/** The time that a caller waits for its recording. */
class Patience implements Timed {
  dueAt = 0
  place = -1
  readonly isBackground = false
  readonly #timers: TimerQueue
  readonly #ms: number
  readonly #resolve: (reply: TransitionReply | Unanswered) => void

  constructor(timers: TimerQueue, ms: number, resolve: (reply: TransitionReply | Unanswered) => void) {
    this.#timers = timers
    this.#ms = ms
    this.#resolve = resolve
    timers.start(this, ms)
  }

  answer(reply: TransitionReply | Unanswered): void {
    this.#timers.stop(this)
    this.#resolve(reply)
  }

  onTime(): void {
    this.#resolve({ outcome: 'unanswered', reason: `the store did not answer within ${this.#ms} ms` })
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
