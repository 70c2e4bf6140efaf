/** Inspects and lists records, for operators. */

import type { Reference, Scope } from '../../api/call.ts'
import type { Inspection, KeptCall, RecordFilter, StoredKey } from '../../api/operators.ts'
import { toMs } from '../../base/durations.ts'
import { assertKnownNames } from '../../base/options/known-options.ts'
import { decodeRequest } from '../../encoding/request.ts'
import { decodeResult } from '../../encoding/result.ts'
import { IdempotencyInvalidCallError, IdempotencyInvalidOptionError } from '../../errors.ts'
import { namespaceSlug, operationSlug, scopeDigest, storageKey } from '../../keys/storage-key.ts'
import { countRecords, partsOf } from '../../store/listing.ts'
import type { ListedRecord, ListQuery, RecordCount, RecordView } from '../../store/store.ts'
import type { Instance } from '../context/instance.ts'
import type { ResolvedPolicies } from '../context/read-policies.ts'
import { isPurgeTurn } from './purge.ts'

/** Returns the record of a key, or null. Read-only. */
export async function inspect(
  instance: Instance,
  reference: Reference | StoredKey,
  policies: ResolvedPolicies,
): Promise<Inspection | null> {
  const key = keyOf(instance, reference)
  const record = await instance.calls.get(key)
  if (!record) return null
  const { state, token, attempt, interrupted, leaseRemainingMs, retentionRemainingMs, fingerprint } = record
  const head = { key, state, token, attempt, interrupted, leaseRemainingMs, retentionRemainingMs, fingerprint }
  const request = await keptRequest(instance, key, record, policies)
  const view = { ...head, ...(request && { request }) }
  if (state !== 'completed' && state !== 'failed') return view
  // a reference is shown as it is recorded: an inspection calls no `rebuild`
  const shown = { ...policies, replay: { reference: () => undefined, rebuild: (reference: unknown) => reference } }
  const prepared = { key, policies: shown, pipeline: instance.pipelineFor(policies.serializer) }
  try {
    return { ...view, ...(await decodeResult(instance.errorTypes, prepared, record)) }
  } catch (error) {
    return { ...view, unreadable: error as Error }
  }
}

/** Returns the kept request of a record, or null where none is kept or it cannot be read here. */
async function keptRequest(
  { digest, pipelineFor }: Instance,
  key: string,
  { request, fingerprint }: RecordView,
  { serializer }: ResolvedPolicies,
): Promise<KeptCall | null> {
  if (!request) return null
  return decodeRequest({ digest, pipeline: pipelineFor(serializer), key, fingerprint }, request).catch(() => null)
}

const FILTERS = ['operation', 'scope', 'state', 'stuckFor', 'expired', 'after', 'limit']

/** @throws {@link IdempotencyInvalidOptionError} when the store cannot list, or a filter is unknown */
export function list(instance: Instance, filter: RecordFilter): AsyncIterable<ListedRecord> {
  assertKnownNames(filter, FILTERS)
  if (!instance.store.list) throw new IdempotencyInvalidOptionError('store', 'cannot list its records')
  const { operation, scope, stuckFor, limit, ...rest } = filter
  const query = {
    ...rest,
    namespace: namespaceSlug(instance.namespace),
    ...(operation === undefined ? {} : { operation: operationSlug(operation) }),
    ...(stuckFor === undefined ? {} : { stuckForMs: toMs('stuckFor', stuckFor) }),
    // one more, in the place of the turn
    ...(limit === undefined ? {} : { limit: limit + 1 }),
  }
  return callsOf(scope === undefined ? instance.store.list(query) : listScope(instance, scope, query), limit)
}

/** Leaves out the turn of the purge. */
async function* callsOf(records: AsyncIterable<ListedRecord>, limit = Number.POSITIVE_INFINITY) {
  let left = limit
  for await (const record of records) {
    if (left <= 0) return
    if (isPurgeTurn(partsOf(record.key).operation)) continue
    left--
    yield record
  }
}

async function* listScope({ digest, namespace, store }: Instance, scope: Scope, query: ListQuery) {
  const scopeHex = scopeDigest(digest, namespace, scope)
  for await (const record of store.list?.({ ...query, scope: scopeHex }) ?? []) {
    // a store that does not know the filter lists other scopes too, which nobody may erase by mistake
    if (partsOf(record.key).digest.startsWith(scopeHex)) yield record
  }
}

/** Counts the live records of the namespace by operation and state. */
export async function count(instance: Instance): Promise<readonly RecordCount[]> {
  const { store, namespace } = instance
  if (!store.count) return countRecords(list(instance, {}))
  const counts = await store.count({ namespace: namespaceSlug(namespace) })
  return counts.filter(({ operation }) => !isPurgeTurn(operation))
}

/** Tells a record as `list` names it from a reference, which has a scope. */
export function isStoredKey(reference: object): reference is StoredKey {
  return !('scope' in reference || 'operation' in reference)
}

/** Returns the token of the attempt that a change is for, or undefined where it is for any. */
export const tokenOf = (reference: Reference | StoredKey): number | undefined =>
  isStoredKey(reference) ? reference.token : undefined

/** Returns the storage key of a reference, or of a listed record of this namespace. */
export function keyOf(instance: Instance, reference: Reference | StoredKey): string {
  if (!isStoredKey(reference)) return storageKey(instance.digest, instance.namespace, reference)
  if (String(reference.key).startsWith(`${namespaceSlug(instance.namespace)}.`)) return reference.key
  throw new IdempotencyInvalidCallError(
    'key',
    'key: this is no key that `list` gives in this namespace. The key of a caller needs its scope, too.',
  )
}
