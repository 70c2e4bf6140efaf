/** An attempt that this process runs. */

import type { Attempt } from '../../api/attempt.ts'
import type { AttemptEvent } from '../../api/events.ts'
import { derivedKeys } from '../../keys/derived-keys.ts'
import type { BeginReply } from '../../store/store.ts'
import { holdLease, type Lease, withLease } from '../mechanisms/lease.ts'
import type { Acquired } from '../mechanisms/store-calls.ts'
import type { Instance } from './instance.ts'
import { attemptEventOf, type PreparedCall } from './prepared-call.ts'

/** The part of an acquired reply that an attempt is made of. */
export type AttemptHead = Pick<BeginReply, 'attempt' | 'token' | 'interrupted' | 'checkpoint'>

export class OpenAttempt {
  readonly instance: Instance
  readonly prepared: PreparedCall
  readonly head: AttemptHead
  readonly event: AttemptEvent
  /** True once a step of this or an earlier attempt is recorded. */
  hasSteps: boolean
  #isLost = false

  constructor(instance: Instance, prepared: PreparedCall, head: AttemptHead) {
    this.instance = instance
    this.prepared = prepared
    this.head = head
    this.event = attemptEventOf(instance, prepared, head)
    this.hasSteps = head.checkpoint !== null
  }

  /** Emits `leaseLost` once, in however many places the loss is found. */
  reportLost(): void {
    if (this.#isLost) return
    this.#isLost = true
    this.instance.events.emit('leaseLost', this.event)
  }

  /** Renews the lease by a heartbeat. */
  holdLease({ reply, sentAt }: Acquired): Lease {
    const { token, leaseRemainingMs, retentionRemainingMs } = reply
    const { key, policies } = this.prepared
    const { leaseMs, retentionMs, maxRunMs } = policies
    const terms = { key, token, leaseMs, retentionMs, maxRunMs, sentAt, leaseRemainingMs, retentionRemainingMs }
    return holdLease(this.instance.calls, terms, {
      renewed: () => this.instance.events.emit('renewed', this.event),
      lost: () => this.reportLost(),
    })
  }

  /** The attempt as its handler sees it. */
  under(lease: Lease): Attempt {
    const { attempt: number, token, interrupted } = this.head
    const { key, fingerprint } = this.prepared
    const keyFor = derivedKeys(this.instance.digest, key, fingerprint)
    return withLease({ number, token, interrupted, signal: lease.signal, keyFor }, lease)
  }
}
