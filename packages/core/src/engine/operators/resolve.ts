/** Resolves a parked record. */

import type { Reference } from '../../api/call.ts'
import type { StoredKey } from '../../api/operators.ts'
import type { Resolution } from '../../api/policies.ts'
import type { Serializer } from '../../api/serialization.ts'
import { formOf } from '../../encoding/envelope.ts'
import { encodeDone, encodeFailure } from '../../encoding/result.ts'
import { IdempotencyInvalidCallError, IdempotencyNotParkedError } from '../../errors.ts'
import { operationSlug } from '../../keys/storage-key.ts'
import type { Change } from '../../store/store.ts'
import { describeState } from '../call/lost-lease.ts'
import { completed } from '../call/outcomes.ts'
import type { Instance } from '../context/instance.ts'
import { type PreparedCall, prepareCall } from '../context/prepared-call.ts'
import type { ResolvedPolicies } from '../context/read-policies.ts'
import { keyOf, list } from './inspect.ts'

/** Resolves a parked key: settles it, or releases it for another attempt. */
export async function resolve(
  instance: Instance,
  reference: Reference | StoredKey,
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
  if (typeof resolution === 'object' && 'completed' in resolution)
    await requireReadable(instance, prepared, resolution.completed)
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

/** Names that are made up may be without end. */
const MAX_FORMS = 1000

/** Notes the serializer of an operation, so that `resolve` records no result in another form. */
export function noteForm({ forms }: Instance, operation: string, { id }: Serializer): void {
  if (forms.size < MAX_FORMS) forms.set(operationSlug(operation), id)
}

/** @throws {@link IdempotencyInvalidCallError} when the callers of the operation could not read the result */
async function requireReadable(instance: Instance, { key, policies }: PreparedCall, value: unknown): Promise<void> {
  if (policies.replay !== 'strict') return
  const { serializer } = policies
  const form = await formOfOperation(instance, key.split('.')[1] ?? '')
  if (form !== undefined && form !== serializer.id) {
    throw new IdempotencyInvalidCallError(
      'payload',
      `The records of this operation are written by the serializer '${form}', and this result by '${serializer.id}', which its ` +
        'callers cannot read. Resolve it with the serializer of the operation; for a guarded route, use `resolveResponse`.',
    )
  }
  try {
    serializer.serialize(value)
  } catch (error) {
    throw new IdempotencyInvalidCallError(
      'payload',
      `The serializer '${serializer.id}' refuses the result: ${String(error)}`,
    )
  }
}

/** Finds the serializer of an operation: as a completed record shows it, else as this process has named it. */
async function formOfOperation(instance: Instance, operation: string): Promise<string | undefined> {
  const noted = instance.forms.get(operation)
  if (!instance.store.list) return noted
  for await (const { key } of list(instance, { operation, state: 'completed', limit: 1 })) {
    const record = await instance.calls.get(key)
    const { kind, serializer } = record?.result ? formOf(record.result) : {}
    if (kind === 'value') return serializer
  }
  return noted
}
