/**
 * The lease of one attempt: renewed by a heartbeat, and watched by its holder's own clocks. The deadline counts from
 * before a call was sent, so that the holder never believes longer in its lease than the store does.
 */

import type { Attempt } from '../../api/attempt.ts'
import { type Instant, instant, later, msUntil, startTimer } from '../../base/timers.ts'
import { IdempotencyLeaseLostError, isIdempotencyError } from '../../errors.ts'
import type { StoreCalls } from './store-calls.ts'

export interface Lease {
  /** Aborts when the lease may be gone or `maxRun` is over. */
  readonly signal: AbortSignal
  /** True once the holder gave it up, as opposed to having lost it. */
  readonly abandoned: boolean
  /** Counts a renewal that somebody else made. `sentAt`: before it was sent. */
  extend(sentAt: Instant): void
  /** No heartbeat until `resume`; resolves when none is on its way. */
  pause(): Promise<void>
  resume(): void
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

const LEASE = Symbol.for('retryproof.lease')

/** An attempt that carries its lease, for {@link lapse}. */
export function withLease<A extends Attempt>(attempt: A, lease: Lease): A {
  return Object.assign(attempt, { [LEASE]: lease })
}

/** Ends the renewal of an attempt: its lease runs out, and its key is then taken over as interrupted. */
export function lapse(attempt: Attempt): void {
  const { [LEASE]: lease } = attempt as { readonly [LEASE]?: Lease }
  lease?.lapse()
}

const RAN_TOO_LONG = 'The handler ran longer than `maxRun`, and its lease is no longer renewed.'

/** The lease of an attempt that an open transaction keeps alone: no heartbeat, only `maxRun` ends it. */
export function holdSilently(maxRunMs: number): Lease {
  const controller = new AbortController()
  const abort = (reason: string) => controller.abort(new IdempotencyLeaseLostError(reason))
  const stop = startTimer(maxRunMs, () => abort(RAN_TOO_LONG), { background: true })
  let abandoned = false
  return {
    signal: controller.signal,
    extend: () => {},
    pause: async () => {},
    resume: () => {},
    lapse: () => {},
    stop,
    get abandoned() {
      return abandoned
    },
    abandon(reason) {
      abandoned = true
      stop()
      abort(reason)
    },
  }
}

export function holdLease(calls: StoreCalls, terms: LeaseTerms, told: { renewed(): void; lost(): void }): Lease {
  const { key, token, leaseMs, retentionMs } = terms
  const controller = new AbortController()
  const runUntil = later(instant(), terms.maxRunMs)
  // the remaining time was rounded up
  let deadline = later(terms.sentAt, terms.leaseRemainingMs - 1)
  let expires = later(terms.sentAt, terms.retentionRemainingMs)
  let stopped = false
  let abandoned = false
  let paused = false
  let lapsing = false
  let beating: Promise<void> = Promise.resolve()
  let stopBeat = () => {}
  let stopDeadline = () => {}

  function stop(): void {
    stopped = true
    stopBeat()
    stopDeadline()
  }

  function abort(reason: string): void {
    stop()
    controller.abort(new IdempotencyLeaseLostError(reason))
  }

  function lose(reason: string): void {
    abort(reason)
    told.lost()
  }

  /** A timer stands still while the machine sleeps, so the wall clock, which does not, is looked at now and then. */
  function watchDeadline(): void {
    stopDeadline()
    const left = Math.min(msUntil(deadline), msUntil(runUntil), Math.max(leaseMs / 100, 1000))
    stopDeadline = startTimer(left, onDeadline, { background: true })
  }

  function onDeadline(): void {
    if (msUntil(runUntil) <= 0) abort(RAN_TOO_LONG)
    else if (msUntil(deadline) <= 0) lose('The lease is over, and could not be renewed in time.')
    else watchDeadline()
  }

  function scheduleBeat(ms: number): void {
    if (lapsing) return
    const start = () => {
      beating = beat()
    }
    stopBeat = startTimer(ms, start, { background: true })
  }

  /** Asks for more retention only where it is needed, since that costs some stores an index write. */
  function retentionToAsk(): { retentionMs?: number } {
    return msUntil(expires) - leaseMs < retentionMs / 2 ? { retentionMs } : {}
  }

  async function beat(): Promise<void> {
    if (msUntil(deadline) <= 0 || msUntil(runUntil) <= 0) return onDeadline()
    const sentAt = instant()
    const asked = retentionToAsk()
    try {
      // one that hangs must leave time for another
      const withinMs = msUntil(deadline) / 2
      const reply = await calls.transition(key, token, { to: 'renew', leaseMs, ...asked }, withinMs)
      if (stopped) return
      if (reply.outcome === 'lost') return lose('Another attempt holds the key.')
      deadline = later(sentAt, leaseMs)
      if (asked.retentionMs !== undefined) expires = later(sentAt, leaseMs + retentionMs)
      watchDeadline()
      told.renewed()
      if (!paused) scheduleBeat(leaseMs / 3)
    } catch (error) {
      // told as storeUnavailable already; the deadline decides when to give up
      if (!stopped && !paused && !isIdempotencyError(error, 'IDEMPOTENCY_STORE_CLOSED'))
        scheduleBeat(Math.min(leaseMs / 10, 1000))
    }
  }

  watchDeadline()
  scheduleBeat(Math.min(terms.leaseRemainingMs, leaseMs) / 3)
  return {
    signal: controller.signal,
    stop,
    extend(sentAt) {
      deadline = later(sentAt, leaseMs)
      if (!stopped) watchDeadline()
    },
    async pause() {
      paused = true
      stopBeat()
      await beating
    },
    resume() {
      if (!paused) return
      paused = false
      if (!stopped) scheduleBeat(Math.max(0, msUntil(deadline)) / 3)
    },
    lapse() {
      lapsing = true
      stopBeat()
    },
    get abandoned() {
      return abandoned
    },
    abandon(reason) {
      abandoned = true
      if (!stopped) abort(reason)
    },
  }
}
