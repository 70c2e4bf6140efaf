/** Recovers crashed calls without waiting for their clients. */

import type { Outcome } from '../../api/call.ts'
import type { KeptCall, RecoverOptions, Recovery, RecoveryError } from '../../api/operators.ts'
import { isPromise } from '../../base/maybe-promise.ts'
import { assertKnownNames } from '../../base/options/known-options.ts'
import { decodeRequest } from '../../encoding/request.ts'
import { IdempotencyInvalidOptionError, isIdempotencyError } from '../../errors.ts'
import { storageKey } from '../../keys/storage-key.ts'
import { requireTransactional } from '../../store/transactional-store.ts'
import { execute } from '../call/execute.ts'
import { type Refusal, run } from '../call/run.ts'
import { Settlement } from '../call/settlement.ts'
import type { Instance } from '../context/instance.ts'
import { OpenAttempt } from '../context/open-attempt.ts'
import { type PreparedCall, prepareCall } from '../context/prepared-call.ts'
import type { ResolvedPolicies } from '../context/read-policies.ts'
import { SilentLease } from '../mechanisms/lease.ts'
import type { RunningCalls, ServedCall } from '../mechanisms/running-calls.ts'
import type { Acquired } from '../mechanisms/store-calls.ts'
import { executeFenced } from '../transaction/fenced.ts'
import { list } from './inspect.ts'

interface Kept {
  readonly call: KeptCall
  readonly prepared: PreparedCall
}

/** Runs a kept call as the attempt that was acquired. */
type Take = (kept: Kept, acquired: Acquired, served: ServedCall) => Promise<Outcome<unknown> | null>

const NOT_KEPT = 'keeps no requests: set `storeRequest` for this operation, so that there is something to recover'

/** Bounds the errors that a pass returns. */
const MAX_ERRORS = 100

type Counted = 'finished' | 'failed' | 'parked' | 'skipped'

/**
 * Finishes the calls of an operation whose leases lapsed, by the same policies and leases as every other call. A record
 * that fails ends nothing and keeps no other record from its turn.
 *
 * @throws {@link IdempotencyInvalidOptionError} when the store cannot list, or the operation keeps no requests
 */
export async function recover<Tx>(
  instance: Instance,
  operation: string,
  policies: ResolvedPolicies,
  options: RecoverOptions<Tx>,
  running: RunningCalls,
  refusal: Refusal,
): Promise<Recovery> {
  assertKnownNames(options, ['handler', 'work', 'authorize', 'limit'])
  const { handler, work, authorize, limit = 1000 } = options
  if (policies.storeRequest === 'no') throw new IdempotencyInvalidOptionError('storeRequest', NOT_KEPT)
  /** The errors of the application. One of a nested call says nothing of the record that is recovered. */
  const thrown = new WeakSet<object>()
  const allows = noting(thrown, authorize)
  const take = work ? inTransactions(noting(thrown, work)) : underHandler(handler && noting(thrown, handler))
  const counts = { finished: 0, failed: 0, parked: 0, skipped: 0 }
  const errors: RecoveryError[] = []
  for await (const { key, state } of list(instance, { operation, stuckFor: 0 })) {
    if (counts.finished + counts.parked >= limit || refusal()) break
    if (state !== 'in_progress' && state !== 'released') continue
    counts[await recoverOne(key)]++
  }
  return { ...counts, errors }

  async function recoverOne(key: string): Promise<Counted> {
    const served = running.begin()
    try {
      const kept = await readKept(key)
      if (!kept) return 'skipped'
      const { call, prepared } = kept
      const allowed = await allows(call)
      const attempt = (acquired: Acquired) => (allowed ? take(kept, acquired, served) : park(prepared, acquired))
      const { replayed } = await run(instance, prepared, attempt, refusal)
      return replayed ? 'skipped' : 'finished'
    } catch (error) {
      const isOurs = !thrown.has(Object(error))
      if (isOurs && isIdempotencyError(error, 'IDEMPOTENCY_IN_PROGRESS', 'IDEMPOTENCY_DRAINING')) return 'skipped'
      if (isOurs && isIdempotencyError(error, 'IDEMPOTENCY_OUTCOME_UNKNOWN')) return 'parked'
      if (errors.length < MAX_ERRORS) errors.push({ key, error })
      instance.events.emit('recoveryFailed', { namespace: instance.namespace, operation, key, error })
      return 'failed'
    } finally {
      running.end(served)
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

  /**
   * Reads the kept call of a record; null if it keeps none, or one of another operation of the same slug.
   *
   * @throws {@link IdempotencyUndecodableError} when the request cannot be read, or was changed in the store
   */
  async function readKept(key: string): Promise<Kept | null> {
    const record = await instance.calls.get(key)
    if (!record?.request) return null
    const { fingerprint } = record
    const { digest } = instance
    const pipeline = instance.pipelineFor(policies.serializer)
    const call = await decodeRequest({ digest, pipeline, key, fingerprint }, record.request)
    if (call.operation !== operation || storageKey(digest, instance.namespace, call) !== key) return null
    return { call, prepared: prepareCall(instance, { operation, key, fingerprint }, { ...policies, waitMs: 0 }) }
  }

  async function park(prepared: PreparedCall, { reply }: Acquired): Promise<Outcome<unknown>> {
    const lease = new SilentLease(instance.timers, policies.maxRunMs)
    try {
      return await new Settlement<unknown>(new OpenAttempt(instance, prepared, reply), lease).park()
    } finally {
      lease.stop()
    }
  }
}

/** Returns `call`, which adds what it throws, or rejects with, to `thrown`. */
function noting<Given extends unknown[], T>(
  thrown: WeakSet<object>,
  call: (...given: Given) => T,
): (...given: Given) => T {
  function note(error: unknown): never {
    if (Object(error) === error) thrown.add(error as object)
    throw error
  }
  return (...given) => {
    try {
      const value = call(...given)
      return (isPromise(value) ? value.then(undefined, note) : value) as T
    } catch (error) {
      return note(error)
    }
  }
}
