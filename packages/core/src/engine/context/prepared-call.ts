/** What the parts of the instance share: one instance's store, codecs, clocks and listeners, and the call that is served. */

import type { AttemptEvent, EventBase } from '../../api/events.ts'
import type { Pipeline } from '../../encoding/envelope.ts'
import type { BeginReply, Claim, RecordView } from '../../store/store.ts'
import type { Instance } from './instance.ts'
import type { ResolvedPolicies } from './policies.ts'

/** One call, digested. */
export interface PreparedCall {
  readonly operation: string
  readonly key: string
  readonly fingerprint: string
  readonly policies: ResolvedPolicies
  readonly pipeline: Pipeline
  readonly signal: AbortSignal | undefined
  /** What was asked, where it is to be kept. */
  readonly request: Uint8Array | undefined
}

export function newClaim({ fingerprint, policies, request }: PreparedCall): Claim {
  const { leaseMs, retentionMs } = policies
  const claim = { owner: crypto.randomUUID(), fingerprint, leaseMs, retentionMs }
  return request ? { ...claim, request } : claim
}

export function eventOf({ namespace }: Instance, { operation, key }: PreparedCall): EventBase {
  return { namespace, operation, key }
}

export function attemptEventOf(
  instance: Instance,
  prepared: PreparedCall,
  { attempt, token }: Pick<RecordView, 'attempt' | 'token'>,
): AttemptEvent {
  return { ...eventOf(instance, prepared), attempt, token }
}

const toldLost = new WeakSet<BeginReply>()

/** An attempt may find in several places that its lease is lost; whoever listens is told once. */
export function tellLeaseLost(instance: Instance, prepared: PreparedCall, acquired: BeginReply): void {
  if (toldLost.has(acquired)) return
  toldLost.add(acquired)
  instance.events.emit('leaseLost', attemptEventOf(instance, prepared, acquired))
}
