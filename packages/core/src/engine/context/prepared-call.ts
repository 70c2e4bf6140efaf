/** What the parts of the engine share: one instance's store, codecs, clocks and listeners, and the call that is served. */

import type { AttemptEvent, EventBase } from '../../api/events.ts'
import type { Pipeline } from '../../encoding/envelope.ts'
import type { BeginReply, Claim, RecordView } from '../../store/store.ts'
import type { Engine } from './instance.ts'
import type { ResolvedPolicies } from './policies.ts'

/** One call, digested. */
export interface Task {
  readonly operation: string
  readonly key: string
  readonly fingerprint: string
  readonly policies: ResolvedPolicies
  readonly pipeline: Pipeline
  readonly signal: AbortSignal | undefined
  /** What was asked, where it is to be kept. */
  readonly request: Uint8Array | undefined
}

export function newClaim({ fingerprint, policies, request }: Task): Claim {
  const { leaseMs, retentionMs } = policies
  const claim = { owner: crypto.randomUUID(), fingerprint, leaseMs, retentionMs }
  return request ? { ...claim, request } : claim
}

export function eventOf({ namespace }: Engine, { operation, key }: Task): EventBase {
  return { namespace, operation, key }
}

export function attemptEventOf(
  engine: Engine,
  task: Task,
  { attempt, token }: Pick<RecordView, 'attempt' | 'token'>,
): AttemptEvent {
  return { ...eventOf(engine, task), attempt, token }
}

const toldLost = new WeakSet<BeginReply>()

/** An attempt may find in several places that its lease is lost; whoever listens is told once. */
export function tellLeaseLost(engine: Engine, task: Task, acquired: BeginReply): void {
  if (toldLost.has(acquired)) return
  toldLost.add(acquired)
  engine.events.emit('leaseLost', attemptEventOf(engine, task, acquired))
}
