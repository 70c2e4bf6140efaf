/** Inspects and lists records, for operators. */

import type { Reference, Scope } from '../../api/call.ts'
import type { Inspection, RecordFilter } from '../../api/operators.ts'
import { toMs } from '../../base/durations.ts'
import { decodeResult } from '../../encoding/result.ts'
import { IdempotencyInvalidCallError, IdempotencyInvalidOptionError } from '../../errors.ts'
import { namespaceSlug, operationSlug, scopeDigest, storageKey } from '../../keys/storage-key.ts'
import type { ListedRecord, ListQuery } from '../../store/store.ts'
import type { Instance } from '../context/instance.ts'
import type { ResolvedPolicies } from '../context/read-policies.ts'

/** Returns the record of a key, or null. Read-only. */
export async function inspect(
  instance: Instance,
  reference: Reference | ListedRecord,
  policies: ResolvedPolicies,
): Promise<Inspection | null> {
  const key = keyOf(instance, reference)
  const record = await instance.calls.get(key)
  if (!record) return null
  const { state, token, attempt, interrupted, leaseRemainingMs, retentionRemainingMs } = record
  const view = { state, token, attempt, interrupted, leaseRemainingMs, retentionRemainingMs }
  if (state !== 'completed' && state !== 'failed') return view
  // a reference is shown as it is recorded: an inspection calls no `rebuild`
  const shown = { ...policies, replay: { reference: () => undefined, rebuild: (reference: unknown) => reference } }
  const prepared = { key, policies: shown, pipeline: instance.pipelineFor(policies.serializer) }
  return {
    ...view,
    ...(await decodeResult(instance.errorTypes, prepared, record).catch((unreadable: Error) => ({ unreadable }))),
  }
}

const FILTERS = ['operation', 'scope', 'state', 'stuckFor', 'expired', 'limit']

/** @throws {@link IdempotencyInvalidOptionError} when the store cannot list, or a filter is unknown */
export function list(instance: Instance, filter: RecordFilter): AsyncIterable<ListedRecord> {
  const unknown = Object.keys(filter).find((name) => !FILTERS.includes(name))
  if (unknown) throw new IdempotencyInvalidOptionError(unknown, `is no filter: give one of ${FILTERS.join(', ')}`)
  if (!instance.store.list) throw new IdempotencyInvalidOptionError('store', 'cannot list its records')
  const { operation, scope, stuckFor, ...rest } = filter
  const query = {
    ...rest,
    namespace: namespaceSlug(instance.namespace),
    ...(operation === undefined ? {} : { operation: operationSlug(operation) }),
    ...(stuckFor === undefined ? {} : { stuckForMs: toMs('stuckFor', stuckFor) }),
  }
  return scope === undefined ? instance.store.list(query) : listScope(instance, scope, query)
}

async function* listScope({ digest, namespace, store }: Instance, scope: Scope, query: ListQuery) {
  const scopeHex = scopeDigest(digest, namespace, scope)
  for await (const record of store.list?.({ ...query, scope: scopeHex }) ?? []) {
    // a store that does not know the filter lists other scopes too, which nobody may erase by mistake
    if (record.key.split('.')[2]?.startsWith(scopeHex)) yield record
  }
}

/** Returns the storage key of a reference, or of a listed record of this namespace. */
export function keyOf(instance: Instance, reference: Reference | ListedRecord): string {
  if (!('state' in reference)) return storageKey(instance.digest, instance.namespace, reference)
  if (reference.key.startsWith(`${namespaceSlug(instance.namespace)}.`)) return reference.key
  throw new IdempotencyInvalidCallError('key', 'key: this record was listed in another namespace')
}
