/** Resolves a parked record. */

import type { Reference } from '../../api/call.ts'
import type { Resolution } from '../../api/policies.ts'
import { encodeDone, encodeFailure } from '../../encoding/result.ts'
import { IdempotencyNotParkedError } from '../../errors.ts'
import type { Change, ListedRecord } from '../../store/store.ts'
import { describeState } from '../call/lost-lease.ts'
import { completed } from '../call/outcomes.ts'
import type { Instance } from '../context/instance.ts'
import { type PreparedCall, prepareCall } from '../context/prepared-call.ts'
import type { ResolvedPolicies } from '../context/read-policies.ts'
import { keyOf } from './inspect.ts'

/** Resolves a parked key: settles it, or releases it for another attempt. */
export async function resolve(
  instance: Instance,
  reference: Reference | ListedRecord,
  resolution: Resolution,
  policies: ResolvedPolicies,
): Promise<void> {
  const key = keyOf(instance, reference)
  const record = await instance.calls.get(key)
  if (record?.state !== 'parked') throw new IdempotencyNotParkedError(describeState(record))
  if (resolution === 'park') return
  const { fingerprint, token } = record
  const operation = 'operation' in reference ? reference.operation : (key.split('.')[1] ?? '')
  const prepared = prepareCall(instance, { operation, key, fingerprint }, policies)
  const reply = await instance.calls.transition(key, token, await changeTo(instance, prepared, resolution))
  if (reply.outcome === 'lost') throw new IdempotencyNotParkedError(describeState(reply.current))
}

async function changeTo(
  instance: Instance,
  prepared: PreparedCall,
  resolution: Exclude<Resolution, 'park'>,
): Promise<Change> {
  const { retentionMs } = prepared.policies
  if (resolution === 'rerun') return { to: 'released', delayMs: 0, retentionMs }
  if ('completed' in resolution) return completed(prepared, await encodeDone(prepared, resolution.completed))
  const result = await encodeFailure(instance.errorTypes, prepared, resolution.failed)
  return { to: 'failed', result, retentionMs }
}
