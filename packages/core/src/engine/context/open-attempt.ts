/** An attempt that this process runs. */

import type { AttemptEvent } from '../../api/events.ts'
import type { TimerQueue } from '../../base/timer-queue.ts'
import type { Instant } from '../../base/timers.ts'
import type { BeginReply } from '../../store/store.ts'
import { HeldLease, type Lease, type LeaseKeeper } from '../mechanisms/lease.ts'
import type { Acquired, StoreCalls } from '../mechanisms/store-calls.ts'
import type { Instance } from './instance.ts'
import { attemptEventOf, type PreparedCall } from './prepared-call.ts'

/** The part of an acquired reply that an attempt is made of. */
export type AttemptHead = Pick<BeginReply, 'attempt' | 'token' | 'interrupted' | 'checkpoint'>

export class OpenAttempt implements LeaseKeeper {
  readonly instance: Instance
  readonly prepared: PreparedCall
  readonly head: AttemptHead
  /** True once a step of this or an earlier attempt is recorded. */
  hasSteps: boolean
  #isLost = false

  constructor(instance: Instance, prepared: PreparedCall, head: AttemptHead) {
    this.instance = instance
    this.prepared = prepared
    this.head = head
    this.hasSteps = head.checkpoint !== null
  }

  get timers(): TimerQueue {
    return this.instance.timers
  }

  get calls(): StoreCalls {
    return this.instance.calls
  }

  get event(): AttemptEvent {
    return attemptEventOf(this.instance, this.prepared, this.head)
  }

  renewed(): void {
    this.instance.events.emit('renewed', () => this.event)
  }

  /** Emits `leaseLost` once, in however many places the loss is found. */
  lost(): void {
    if (this.#isLost) return
    this.#isLost = true
    this.instance.events.emit('leaseLost', () => this.event)
  }

  /** Renews the lease by a heartbeat, from `now` on. */
  holdLease({ reply, sentAt }: Acquired, now?: Instant): Lease {
    const { token, leaseRemainingMs, retentionRemainingMs } = reply
    const { key, policies } = this.prepared
    const { leaseMs, retentionMs, maxRunMs } = policies
    const terms = { key, token, leaseMs, retentionMs, maxRunMs, sentAt, leaseRemainingMs, retentionRemainingMs }
    return new HeldLease(this, terms, now)
  }
}
