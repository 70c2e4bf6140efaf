/**
 * The lease of one attempt: renewed by a heartbeat, and watched by its holder's own clocks. The deadline counts from
 * before a call was sent, so that the holder never believes longer in its lease than the store does.
 */

import type { Attempt } from '../../api/attempt.ts'
import { thisContext } from '../../base/async-context.ts'
import type { Timed, TimerQueue } from '../../base/timer-queue.ts'
import { type Instant, instant, later, msUntil } from '../../base/timers.ts'
import { type IdempotencyLeaseLostError, isIdempotencyError } from '../../errors.ts'
import { Abortable } from './abortable.ts'
import type { StoreCalls } from './store-calls.ts'

export interface Lease {
  /** Aborts when the lease may be gone or `maxRun` is over. */
  readonly signal: AbortSignal
  /** The reason for which the signal is aborted, or would be if anybody had asked for it. */
  readonly abortReason: IdempotencyLeaseLostError | undefined
  /** True once the holder gave it up, as opposed to having lost it. */
  readonly abandoned: boolean
  /** Counts a renewal that somebody else made. `sentAt`: before it was sent. */
  extend(sentAt: Instant): void
  /** No heartbeat until `resume`; resolves when none is on its way. */
  pause(): Promise<void>
  resume(): void
  /** The attempt is being settled: a renewal that finds it settled has lost nothing. */
  settling(): void
  /** Ends the heartbeat for good, and lets the lease run out. */
  lapse(): void
  /** Ends the heartbeat. */
  stop(): void
  /** For shutdown: ends the heartbeat and aborts the signal. The record is left to its lease. */
  abandon(reason: string): void
}

export interface LeaseTerms {
  readonly key: string
  readonly token: number
  readonly leaseMs: number
  readonly retentionMs: number
  readonly maxRunMs: number
  /** When the acquiring call was sent, and what it said was left. */
  readonly sentAt: Instant
  readonly leaseRemainingMs: number
  readonly retentionRemainingMs: number
}

/** An attempt carries its lease, for {@link lapse}. */
export const LEASE: unique symbol = Symbol.for('retryproof.lease')

/** Ends the renewal of an attempt: its lease runs out, and its key is then taken over as interrupted. */
export function lapse(attempt: Attempt): void {
  const { [LEASE]: lease } = attempt as { readonly [LEASE]?: Lease }
  lease?.lapse()
}

const RAN_TOO_LONG = 'The handler ran longer than `maxRun`, and its lease is no longer renewed.'

/** The lease of an attempt that an open transaction keeps alone: no heartbeat, only `maxRun` ends it. */
export class SilentLease extends Abortable implements Lease, Timed {
  dueAt = 0
  place = -1
  readonly isBackground = true
  abandoned = false
  readonly #context = thisContext()
  readonly #timers: TimerQueue

  constructor(timers: TimerQueue, maxRunMs: number) {
    super()
    this.#timers = timers
    timers.start(this, maxRunMs)
  }

  onTime(): void {
    this.#context.runInAsyncScope(() => this.abort(RAN_TOO_LONG), undefined)
  }

  stop(): void {
    this.#timers.stop(this)
  }

  abandon(reason: string): void {
    this.abandoned = true
    this.stop()
    this.abort(reason)
  }

  async pause(): Promise<void> {}
  extend(): void {}
  resume(): void {}
  settling(): void {}
  lapse(): void {}
}

/** The actions of a lease, and its events. */
export interface LeaseKeeper {
  readonly timers: TimerQueue
  readonly calls: StoreCalls
  renewed(): void
  lost(): void
}

/** A lease that a heartbeat renews. One timer serves the heartbeat and the watch on the deadline. */
export class HeldLease extends Abortable implements Lease, Timed {
  dueAt = 0
  place = -1
  readonly isBackground = true
  abandoned = false
  /** A driver may look there for a tenant or a trace, and so may who listens to the signal or to events. */
  readonly #context = thisContext()
  readonly #keeper: LeaseKeeper
  readonly #terms: LeaseTerms
  readonly #runUntil: Instant
  #deadline: Instant
  #expires: Instant
  /** The moments of the next heartbeat and of the next look at the deadline, by the monotonic clock. */
  #beatAt: number
  #lookAt = 0
  #stopped = false
  #paused = false
  #lapsing = false
  #settling = false
  #beating: Promise<void> | undefined

  constructor(keeper: LeaseKeeper, terms: LeaseTerms, now = instant()) {
    super()
    this.#keeper = keeper
    this.#terms = terms
    this.#runUntil = later(now, terms.maxRunMs)
    // the remaining time was rounded up
    this.#deadline = later(terms.sentAt, terms.leaseRemainingMs - 1)
    this.#expires = later(terms.sentAt, terms.retentionRemainingMs)
    this.#beatAt = now.monotonic + Math.min(terms.leaseRemainingMs, terms.leaseMs) / 3
    this.#watchDeadline(now)
  }

  onTime(): void {
    this.#context.runInAsyncScope(this.#onTime, this)
  }

  #onTime(): void {
    const now = performance.now() + 1
    if (this.#beatAt <= now) {
      this.#beatAt = Number.POSITIVE_INFINITY
      this.#beating = this.#beat()
    }
    if (this.#stopped) return
    if (this.#lookAt <= now) this.#onDeadline()
    else this.#schedule()
  }

  stop(): void {
    this.#stopped = true
    this.#keeper.timers.stop(this)
  }

  extend(sentAt: Instant): void {
    this.#deadline = later(sentAt, this.#terms.leaseMs)
    if (!this.#stopped) this.#watchDeadline()
  }

  async pause(): Promise<void> {
    this.#paused = true
    this.#stopBeat()
    await this.#beating
  }

  resume(): void {
    if (!this.#paused) return
    this.#paused = false
    if (!this.#stopped) this.#scheduleBeat(Math.max(0, msUntil(this.#deadline)) / 3)
  }

  settling(): void {
    this.#settling = true
  }

  lapse(): void {
    this.#lapsing = true
    this.#stopBeat()
  }

  abandon(reason: string): void {
    this.abandoned = true
    if (!this.#stopped) this.#end(reason)
  }

  #end(reason: string): void {
    this.stop()
    this.abort(reason)
  }

  #lose(reason: string): void {
    this.#end(reason)
    this.#keeper.lost()
  }

  /** A timer stands still while the machine sleeps, so the wall clock, which does not, is looked at now and then. */
  #watchDeadline(now = instant()): void {
    const often = Math.max(this.#terms.leaseMs / 100, 1000)
    const left = Math.min(msUntil(this.#deadline, now), msUntil(this.#runUntil, now), often)
    this.#lookAt = now.monotonic + Math.max(0, left)
    this.#schedule(now.monotonic)
  }

  #onDeadline(): void {
    if (msUntil(this.#runUntil) <= 0) this.#end(RAN_TOO_LONG)
    else if (msUntil(this.#deadline) <= 0) this.#lose('The lease is over, and could not be renewed in time.')
    else this.#watchDeadline()
  }

  #scheduleBeat(ms: number): void {
    if (this.#lapsing) return
    this.#beatAt = performance.now() + ms
    this.#schedule()
  }

  #stopBeat(): void {
    this.#beatAt = Number.POSITIVE_INFINITY
  }

  #schedule(now = performance.now()): void {
    this.#keeper.timers.startUntil(this, Math.min(this.#lookAt, this.#beatAt), now)
  }

  /** Asks for more retention only where it is needed, since that costs some stores an index write. */
  #retentionToAsk(): { retentionMs?: number } {
    const { leaseMs, retentionMs } = this.#terms
    return msUntil(this.#expires) - leaseMs < retentionMs / 2 ? { retentionMs } : {}
  }

  async #beat(): Promise<void> {
    if (msUntil(this.#deadline) <= 0 || msUntil(this.#runUntil) <= 0) return this.#onDeadline()
    const { key, token, leaseMs, retentionMs } = this.#terms
    const sentAt = instant()
    const asked = this.#retentionToAsk()
    try {
      // one that hangs must leave time for another
      const withinMs = msUntil(this.#deadline) / 2
      const reply = await this.#keeper.calls.transition(key, token, { to: 'renew', leaseMs, ...asked }, withinMs)
      if (this.#stopped) return
      if (reply.outcome === 'lost') return this.#settling ? this.stop() : this.#lose('Another attempt holds the key.')
      this.#deadline = later(sentAt, leaseMs)
      if (asked.retentionMs !== undefined) this.#expires = later(sentAt, leaseMs + retentionMs)
      this.#watchDeadline()
      this.#keeper.renewed()
      if (!this.#paused) this.#scheduleBeat(leaseMs / 3)
    } catch (error) {
      // told as storeUnavailable already; the deadline decides when to give up
      if (!this.#stopped && !this.#paused && !isIdempotencyError(error, 'IDEMPOTENCY_STORE_CLOSED'))
        this.#scheduleBeat(Math.min(leaseMs / 10, 1000))
    }
  }
}
