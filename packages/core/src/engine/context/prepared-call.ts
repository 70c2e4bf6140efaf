/** One call, digested: its storage key, fingerprint, policies and pipeline. */

import type { AttemptEvent, EventBase } from '../../api/events.ts'
import type { Pipeline } from '../../encoding/envelope.ts'
import type { Claim, RecordView } from '../../store/store.ts'
import type { Instance } from './instance.ts'
import type { ResolvedPolicies } from './read-policies.ts'

interface Digested {
  readonly operation: string
  readonly key: string
  readonly fingerprint: string
}

export interface PreparedCall extends Digested {
  readonly policies: ResolvedPolicies
  readonly pipeline: Pipeline
  readonly signal: AbortSignal | undefined
  /** The encoded request, where the policies keep it. */
  readonly request: Uint8Array | undefined
}

export function prepareCall(
  instance: Instance,
  { operation, key, fingerprint }: Digested,
  policies: ResolvedPolicies,
  signal?: AbortSignal,
): PreparedCall {
  const pipeline = instance.pipelineFor(policies.serializer)
  return { operation, key, fingerprint, policies, pipeline, signal, request: undefined }
}

let ofProcess: string | undefined
let claims = 0

/** A random part for the process and a number for the claim: a random text for each costs more than the claim. */
function newOwner(): string {
  ofProcess ??= `${crypto.randomUUID()}-`
  claims++
  return ofProcess + claims.toString(36)
}

export function newClaim({ fingerprint, policies, pipeline, request }: PreparedCall): Claim {
  const { leaseMs, retentionMs } = policies
  const claim = { owner: newOwner(), fingerprint, leaseMs, retentionMs, readOnly: pipeline.readsOnly }
  return request ? { request, ...claim } : claim
}

export function eventOf({ namespace }: Instance, { operation, key }: PreparedCall): EventBase {
  return { namespace, operation, key }
}

export function attemptEventOf(
  instance: Instance,
  prepared: PreparedCall,
  { attempt, token }: Pick<RecordView, 'attempt' | 'token'>,
): AttemptEvent {
  return { attempt, token, ...eventOf(instance, prepared) }
}
