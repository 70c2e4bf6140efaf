/** What operators do: look at records, list them, forget one. */

import type { Reference } from '../../api/call.ts'
import type { Inspection, RecordFilter } from '../../api/operators.ts'
import { toMs } from '../../base/durations.ts'
import { decodeResult } from '../../encoding/result.ts'
import { InvalidOptionError } from '../../errors.ts'
import { namespaceSlug, operationSlug, storageKey } from '../../keys/storage-key.ts'
import type { ListedRecord } from '../../store/store.ts'
import type { Engine } from '../context/instance.ts'
import type { ResolvedPolicies } from '../context/policies.ts'

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
