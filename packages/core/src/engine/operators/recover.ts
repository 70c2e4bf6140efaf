/** Finishing what crashed, without waiting for its client: by the same policies and leases as every other call. */

import type { Outcome } from '../../api/call.ts'
import type { KeptCall, RecoverOptions, Recovery } from '../../api/operators.ts'
import { decodeRequest } from '../../encoding/request.ts'
import { IdempotencyInvalidOptionError, isIdempotencyError } from '../../errors.ts'
import { storageKey } from '../../keys/storage-key.ts'
import { requireTransactional } from '../../store/transactional-store.ts'
import { execute } from '../call/execute.ts'
import { run } from '../call/run.ts'
import { createSettlement } from '../call/settlement.ts'
import type { Instance } from '../context/instance.ts'
import type { ResolvedPolicies } from '../context/policies.ts'
import type { PreparedCall } from '../context/prepared-call.ts'
import { holdSilently } from '../mechanisms/lease.ts'
import type { RunningCalls, ServedCall } from '../mechanisms/running-calls.ts'
import type { Acquired } from '../mechanisms/store-calls.ts'
import { executeFenced } from '../transaction/fenced.ts'
import { list } from './inspect.ts'

interface Kept {
  readonly call: KeptCall
  readonly prepared: PreparedCall
}

/** Takes a call up, as an attempt that was acquired. */
type Take = (kept: Kept, acquired: Acquired, served: ServedCall) => Promise<Outcome<unknown> | null>

const NOT_KEPT = 'keeps no requests: set `storeRequest` for this operation, so that there is something to recover'

/** @throws IdempotencyInvalidOptionError where the store cannot list, or the operation keeps no requests */
export async function recover<Tx>(
  instance: Instance,
  operation: string,
  policies: ResolvedPolicies,
  { handler, work, authorize, limit = 1000 }: RecoverOptions<Tx>,
  running: RunningCalls,
  isDraining: () => boolean,
): Promise<Recovery> {
  if (policies.storeRequest === 'no') throw new IdempotencyInvalidOptionError('storeRequest', NOT_KEPT)
  const take = work ? inTransactions(work) : underHandler(handler)
  const recovery = { finished: 0, failed: 0, parked: 0, skipped: 0 }
  let taken = 0
  for await (const { key, state } of list(instance, { operation, stuckFor: 0 })) {
    if (taken >= limit || isDraining()) break
    if (state !== 'in_progress' && state !== 'released') continue
    taken++
    recovery[await running.serve((served) => recoverOne(key, served))]++
  }
  return recovery

  async function recoverOne(key: string, served: ServedCall): Promise<keyof Recovery> {
    const kept = await readKept(key)
    if (!kept) return 'skipped'
    const { call, prepared } = kept
    const allowed = await authorize(call)
    const attempt = (acquired: Acquired) => (allowed ? take(kept, acquired, served) : park(prepared, acquired))
    try {
      const { replayed } = await run(instance, prepared, attempt, isDraining)
      return replayed ? 'skipped' : 'finished'
    } catch (error) {
      if (isIdempotencyError(error, 'IDEMPOTENCY_IN_PROGRESS', 'IDEMPOTENCY_DRAINING')) return 'skipped'
      return isIdempotencyError(error, 'IDEMPOTENCY_OUTCOME_UNKNOWN') ? 'parked' : 'failed'
    }
  }

  function underHandler(handler: RecoverOptions<Tx>['handler']): Take {
    if (typeof handler !== 'function')
      throw new IdempotencyInvalidOptionError('handler', 'must be a function, or give `work`')
    return ({ call, prepared }, acquired, served) =>
      execute<unknown>(
        instance,
        prepared,
        acquired,
        (own) => handler(call, own as Parameters<typeof handler>[1]),
        served,
      )
  }

  function inTransactions(work: NonNullable<RecoverOptions<Tx>['work']>): Take {
    const store = requireTransactional<Tx>(instance.store)
    return ({ call, prepared }, acquired, served) =>
      executeFenced({ instance, prepared, store, work: (tx, own) => work(call, tx, own) }, acquired, served)
  }

  /** What the record keeps, if it is a call of this operation, and of this very record. */
  async function readKept(key: string): Promise<Kept | null> {
    const record = await instance.calls.get(key)
    if (!record?.request) return null
    const { fingerprint } = record
    const pipeline = instance.pipelineFor(policies.serializer)
    const call = await decodeRequest({ pipeline, key, fingerprint }, record.request).catch(() => null)
    if (call?.operation !== operation || (await storageKey(instance.digest, instance.namespace, call)) !== key)
      return null
    const unhurried = { ...policies, waitMs: 0 }
    return {
      call,
      prepared: { operation, key, fingerprint, policies: unhurried, pipeline, signal: undefined, request: undefined },
    }
  }

  function park(prepared: PreparedCall, { reply }: Acquired): Promise<Outcome<unknown>> {
    return createSettlement<unknown>(instance, prepared, reply, holdSilently(policies.maxRunMs)).park()
  }
}
