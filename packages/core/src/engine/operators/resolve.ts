/** Resolves a parked record. */

import type { Reference } from '../../api/call.ts'
import type { Resolution } from '../../api/policies.ts'
import { encodeDone, encodeFailure } from '../../encoding/result.ts'
import { NotParkedError } from '../../errors.ts'
import { storageKey } from '../../keys/storage-key.ts'
import type { Change } from '../../store/store.ts'
import type { Engine } from '../context/instance.ts'
import type { ResolvedPolicies } from '../context/policies.ts'
import type { Task } from '../context/prepared-call.ts'

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
