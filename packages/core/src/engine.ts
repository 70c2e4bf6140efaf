/** What the parts of the engine share: one instance's store, codecs, clocks and listeners, and the call that is served. */
import { createPipeline, type Pipeline, type Serializer } from './codec.ts'
import type { Digest } from './digest.ts'
import type { AttemptEvent, Emitter, EventBase } from './events.ts'
import type { ErrorType } from './failures.ts'
import type { ResolvedPolicies } from './policies.ts'
import type { BeginReply, Claim, RecordStore, RecordView } from './store.ts'
import type { StoreCalls } from './store-calls.ts'
import type { Waiters } from './waiters.ts'

export interface Engine {
  readonly namespace: string
  readonly store: RecordStore
  readonly calls: StoreCalls
  readonly waiters: Waiters
  readonly digest: Digest
  readonly pipelineFor: (serializer: Serializer) => Pipeline
  readonly errorTypes: readonly ErrorType[]
  /** One of the codecs encrypts. */
  readonly encrypts: boolean
  readonly storeTimeoutMs: number
  readonly settleTimeoutMs: number
  readonly events: Emitter
}

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

/** One pipeline for each serializer, made once. */
export function pipelines(codecs: Parameters<typeof createPipeline>[1]): Engine['pipelineFor'] {
  const made = new WeakMap<Serializer, Pipeline>()
  return (serializer) => {
    const pipeline = made.get(serializer) ?? createPipeline(serializer, codecs)
    made.set(serializer, pipeline)
    return pipeline
  }
}
