/** Operators look at records, one by one or in a list. */

import type { Reference } from '../../api/call.ts'
import type { Inspection, RecordFilter } from '../../api/operators.ts'
import { toMs } from '../../base/durations.ts'
import { decodeResult } from '../../encoding/result.ts'
import { IdempotencyInvalidOptionError } from '../../errors.ts'
import { namespaceSlug, operationSlug, storageKey } from '../../keys/storage-key.ts'
import type { ListedRecord } from '../../store/store.ts'
import type { Instance } from '../context/instance.ts'
import type { ResolvedPolicies } from '../context/policies.ts'

/** Returns the record of a key, or null. Read-only. */
export async function inspect(
  instance: Instance,
  reference: Reference,
  policies: ResolvedPolicies,
): Promise<Inspection | null> {
  const key = await storageKey(instance.digest, instance.namespace, reference)
  const record = await instance.calls.get(key)
  if (!record) return null
  const { state, token, attempt, interrupted, leaseRemainingMs, retentionRemainingMs } = record
  const view = { state, token, attempt, interrupted, leaseRemainingMs, retentionRemainingMs }
  if (state !== 'completed' && state !== 'failed') return view
  // a reference is shown as it is: looking at a record calls nobody
  const shown = { ...policies, replay: { reference: () => undefined, rebuild: (reference: unknown) => reference } }
  const prepared = { key, policies: shown, pipeline: instance.pipelineFor(policies.serializer) }
  return {
    ...view,
    ...(await decodeResult(instance.errorTypes, prepared, record).catch((unreadable: Error) => ({ unreadable }))),
  }
}

/** @throws {@link IdempotencyInvalidOptionError} when the store cannot list */
export function list(instance: Instance, filter: RecordFilter): AsyncIterable<ListedRecord> {
  const { operation, stuckFor, ...rest } = filter
  if (!instance.store.list) throw new IdempotencyInvalidOptionError('store', 'cannot list its records')
  return instance.store.list({
    ...rest,
    namespace: namespaceSlug(instance.namespace),
    ...(operation === undefined ? {} : { operation: operationSlug(operation) }),
    ...(stuckFor === undefined ? {} : { stuckForMs: toMs('stuckFor', stuckFor) }),
  })
}
