/** What operators do: look at records, list them, forget one. */
import { type Duration, toMs } from './durations.ts'
import type { Engine, Task } from './engine.ts'
import { InvalidOptionError, NotParkedError, StoreUnavailableError } from './errors.ts'
import { namespaceSlug, operationSlug, storageKey } from './keys.ts'
import type { ResolvedPolicies } from './policies.ts'
import { decodeResult, encodeDone, encodeFailure } from './results.ts'
import type { Change, ListedRecord, RecordState } from './store.ts'
import type { Inspection, Reference, Resolution } from './types.ts'

/** Which records to list. Without a member, all of the namespace. */
export interface RecordFilter {
  readonly operation?: string
  readonly state?: RecordState
  /** Only records whose lease, or delay, has been over for at least this long: nobody works on them. */
  readonly stuckFor?: Duration
  /** Also what has expired and was not purged yet. @default false */
  readonly expired?: boolean
  readonly limit?: number
}

/** What stands under a key, or null. Changes nothing. */
export async function inspect(
  engine: Engine,
  reference: Reference,
  policies: ResolvedPolicies,
): Promise<Inspection | null> {
  const key = await storageKey(engine.digest, engine.namespace, reference)
  const record = await engine.calls.get(key)
  if (!record) return null
  const { state, token, attempt, interrupted, leaseRemainingMs, retentionRemainingMs } = record
  const view = { state, token, attempt, interrupted, leaseRemainingMs, retentionRemainingMs }
  if (state !== 'completed' && state !== 'failed') return view
  // a reference is shown as it is: looking at a record calls nobody
  const shown = { ...policies, guarantee: { reference: () => undefined, rebuild: (reference: unknown) => reference } }
  const task = { key, policies: shown, pipeline: engine.pipelineFor(policies.serializer) }
  return { ...view, ...(await decodeResult(engine, task, record).catch((unreadable: Error) => ({ unreadable }))) }
}

/** @throws InvalidOptionError where the store cannot list */
export function list(engine: Engine, filter: RecordFilter): AsyncIterable<ListedRecord> {
  const { operation, stuckFor, ...rest } = filter
  if (!engine.store.list) throw new InvalidOptionError('store', 'cannot list its records')
  return engine.store.list({
    ...rest,
    namespace: namespaceSlug(engine.namespace),
    ...(operation === undefined ? {} : { operation: operationSlug(operation) }),
    ...(stuckFor === undefined ? {} : { stuckForMs: toMs('stuckFor', stuckFor) }),
  })
}

/** Ends the waiting of a parked key: settles it, or releases it for another attempt. */
export async function resolve(
  engine: Engine,
  reference: Reference,
  resolution: Resolution,
  policies: ResolvedPolicies,
): Promise<void> {
  const key = await storageKey(engine.digest, engine.namespace, reference)
  const record = await engine.calls.get(key)
  if (record?.state !== 'parked') throw new NotParkedError(record)
  if (resolution === 'park') return
  const { fingerprint, token } = record
  const pipeline = engine.pipelineFor(policies.serializer)
  const task = {
    operation: reference.operation,
    key,
    fingerprint,
    policies,
    pipeline,
    signal: undefined,
    request: undefined,
  }
  const reply = await engine.calls.transition(key, token, await changeTo(engine, task, resolution))
  if (reply.outcome === 'lost') throw new NotParkedError(reply.current)
}

async function changeTo(engine: Engine, task: Task, resolution: Exclude<Resolution, 'park'>): Promise<Change> {
  const { retentionMs } = task.policies
  if (resolution === 'rerun') return { to: 'released', delayMs: 0, retentionMs }
  if ('completed' in resolution) {
    return { to: 'completed', result: (await encodeDone(engine, task, resolution.completed)).result, retentionMs }
  }
  return { to: 'failed', result: await encodeFailure(engine, task, resolution.failed), retentionMs }
}

/** Long enough for the late messages of an attempt that ran when its key was forgotten. */
const TOMBSTONE_MS = 60_000
const MAX_TRIES = 5

/** Whether there was a record. An attempt that runs keeps running, and finds itself lost. */
export async function forget(engine: Engine, reference: Reference): Promise<boolean> {
  const key = await storageKey(engine.digest, engine.namespace, reference)
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const record = await engine.calls.get(key)
    if (!record) return false
    const change = { to: 'forgotten', tombstoneMs: TOMBSTONE_MS } as const
    const reply = await engine.calls.transition(key, record.token, change)
    if (reply.outcome === 'ok') return true
  }
  throw new StoreUnavailableError('The key is taken again and again while it is being forgotten.', { applied: 'no' })
}
