/** Resolves a parked record. */

import type { Reference } from '../../api/call.ts'
import { isUnreplayable } from '../../api/handler-results.ts'
import type { StoredKey } from '../../api/operators.ts'
import type { Resolution } from '../../api/policies.ts'
import type { Serializer } from '../../api/serialization.ts'
import { describeThrown } from '../../base/warn.ts'
import { formOf } from '../../encoding/envelope.ts'
import { encodeDone, encodeFailure } from '../../encoding/result.ts'
import { IdempotencyInvalidCallError, IdempotencyNotParkedError } from '../../errors.ts'
import { MAX_OPERATION_SLUG, NAMELESS_SLUG, operationSlug } from '../../keys/storage-key.ts'
import { partsOf } from '../../store/listing.ts'
import type { Change } from '../../store/store.ts'
import { describeState } from '../call/lost-lease.ts'
import { completed } from '../call/outcomes.ts'
import type { Instance } from '../context/instance.ts'
import { type PreparedCall, prepareCall } from '../context/prepared-call.ts'
import type { ResolvedPolicies } from '../context/read-policies.ts'
import { keyOf, list, tokenOf } from './inspect.ts'

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
  if ((tokenOf(reference) ?? record.token) !== record.token)
    throw new IdempotencyNotParkedError(`one of a later attempt, which is ${describeState(record)}`)
  if (resolution === 'park') return
  const { fingerprint, token, retentionRemainingMs } = record
  // a storage key names no policies, and those of the operation may keep its records for longer than the instance does
  const kept = { ...policies, retentionMs: Math.max(policies.retentionMs, retentionRemainingMs) }
  const operation = 'operation' in reference ? reference.operation : partsOf(key).operation
  const prepared = prepareCall(instance, { operation, key, fingerprint }, kept)
  if (typeof resolution === 'object' && 'completed' in resolution && policies.replay === 'strict')
    requireReadable(policies, resolution.completed, await formOfOperation(instance, reference, key))
  const change = await changeTo(instance, prepared, resolution)
  const reply = await instance.calls.transition(key, token, change)
  if (reply.outcome === 'lost') throw new IdempotencyNotParkedError(describeState(reply.current))
  if (!reply.applied && 'result' in change) await requireOwn(instance, key, change.result)
}

/** @throws {@link IdempotencyNotParkedError} when the attempt was not dead, and settled with another result since it was read */
async function requireOwn({ calls }: Instance, key: string, result: Uint8Array): Promise<void> {
  const current = await calls.get(key)
  const isOwn = current?.result?.length === result.length && result.every((byte, i) => byte === current.result?.[i])
  if (!isOwn) throw new IdempotencyNotParkedError(describeState(current))
}

async function changeTo(
  instance: Instance,
  prepared: PreparedCall,
  resolution: Exclude<Resolution, 'park'>,
): Promise<Change> {
  const { retentionMs } = prepared.policies
  if (resolution === 'rerun') return { to: 'released', delayMs: 0, retentionMs }
  if ('completed' in resolution) {
    const encoded = await encodeDone(prepared, resolution.completed)
    if (!encoded.replayable && !isUnreplayable(resolution.completed)) throw notKept(prepared)
    return completed(prepared, encoded)
  }
  const result = await encodeFailure(instance.errorTypes, prepared, resolution.failed)
  return { to: 'failed', result, retentionMs }
}

/** A handler's effect is done, whether or not its result fits. A person can write down a smaller one. */
function notKept({ pipeline }: PreparedCall): IdempotencyInvalidCallError {
  return new IdempotencyInvalidCallError(
    'payload',
    `The result cannot be recorded: it has more than the ${pipeline.maxValueBytes} bytes that the store takes, or a codec refuses ` +
      'it. Give a smaller one, or `unreplayable` where callers need to know only that it is done.',
  )
}

/** Names that are made up may be without end. */
const MAX_FORMS = 1000

/** Notes the serializer of an operation, so that `resolve` records no result in another form. */
export function noteForm({ forms }: Instance, operation: string, { id }: Serializer): void {
  if (forms.size < MAX_FORMS) forms.set(operation, id)
}

/** @throws {@link IdempotencyInvalidCallError} when the callers of the operation could not read the result */
function requireReadable({ serializer }: ResolvedPolicies, value: unknown, form: string | undefined): void {
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
      `The serializer '${serializer.id}' refuses the result: ${describeThrown(error)}`,
    )
  }
}

/**
 * Finds the serializer of an operation: as a completed record shows it, else as this process has named it. Undefined where
 * nobody knows, or the records that are found may be those of another operation.
 */
async function formOfOperation(
  instance: Instance,
  reference: Reference | StoredKey,
  key: string,
): Promise<string | undefined> {
  const slug = partsOf(key).operation
  const name = 'operation' in reference ? reference.operation : slug
  const isCertain = keepsName(name, slug)
  if (isCertain && instance.store.list) {
    for await (const listed of list(instance, { operation: slug, state: 'completed', limit: 1 })) {
      const record = await instance.calls.get(listed.key)
      const { kind, serializer } = record?.result ? formOf(record.result) : {}
      if (kind === 'value') return serializer
    }
  }
  if ('operation' in reference) return instance.forms.get(name)
  return isCertain ? [...instance.forms].find(([noted]) => operationSlug(noted) === slug)?.[1] : undefined
}

/** Tells whether a slug shows the letters of a name: it has none of another script, and is too short to have been cut. */
function keepsName(name: string, slug: string): boolean {
  return /^[ -~]*$/.test(name) && slug !== NAMELESS_SLUG && slug.length < MAX_OPERATION_SLUG - 1
}
