/** Finishing what crashed, without waiting for its client: by the same policies and leases as every other call. */

import type { Outcome } from '../../api/call.ts'
import type { KeptCall, RecoverOptions, Recovery } from '../../api/operators.ts'
import { decodeRequest } from '../../encoding/request.ts'
import { DrainingError, InProgressError, InvalidOptionError, OutcomeUnknownError } from '../../errors.ts'
import { storageKey } from '../../keys/storage-key.ts'
import { requireTransactional } from '../../store/transactional-store.ts'
import { execute } from '../call/execute.ts'
import { run } from '../call/run.ts'
import { createFinish } from '../call/settlement.ts'
import type { Engine } from '../context/instance.ts'
import type { ResolvedPolicies } from '../context/policies.ts'
import type { Task } from '../context/prepared-call.ts'
import { holdSilently } from '../mechanisms/lease.ts'
import type { RunningCalls, ServedCall } from '../mechanisms/running-calls.ts'
import type { Acquired } from '../mechanisms/store-calls.ts'
import { executeFenced } from '../transaction/fenced.ts'
import { list } from './inspect.ts'

interface Kept {
  readonly call: KeptCall
  readonly task: Task
}

/** Takes a call up, as an attempt that was acquired. */
type Take = (kept: Kept, acquired: Acquired, served: ServedCall) => Promise<Outcome<unknown> | null>

const NOT_KEPT = 'keeps no requests: set `storeRequest` for this operation, so that there is something to recover'

/** @throws InvalidOptionError where the store cannot list, or the operation keeps no requests */
export async function recover<Tx>(
  engine: Engine,
  operation: string,
  policies: ResolvedPolicies,
  { handler, work, authorize, limit = 1000 }: RecoverOptions<Tx>,
  running: RunningCalls,
  isDraining: () => boolean,
): Promise<Recovery> {
  if (policies.storeRequest === 'no') throw new InvalidOptionError('storeRequest', NOT_KEPT)
  const take = work ? inTransactions(work) : underHandler(handler)
  const recovery = { finished: 0, failed: 0, parked: 0, skipped: 0 }
  let taken = 0
  for await (const { key, state } of list(engine, { operation, stuckFor: 0 })) {
    if (taken >= limit || isDraining()) break
    if (state !== 'in_progress' && state !== 'released') continue
    taken++
    recovery[await running.serve((served) => recoverOne(key, served))]++
  }
  return recovery

  async function recoverOne(key: string, served: ServedCall): Promise<keyof Recovery> {
    const kept = await readKept(key)
    if (!kept) return 'skipped'
    const { call, task } = kept
    const allowed = await authorize(call)
    const attempt = (acquired: Acquired) => (allowed ? take(kept, acquired, served) : park(task, acquired))
    try {
      const { replayed } = await run(engine, task, attempt, isDraining)
      return replayed ? 'skipped' : 'finished'
    } catch (error) {
      if (error instanceof InProgressError || error instanceof DrainingError) return 'skipped'
      return error instanceof OutcomeUnknownError ? 'parked' : 'failed'
    }
  }

  function underHandler(handler: RecoverOptions<Tx>['handler']): Take {
    if (typeof handler !== 'function') throw new InvalidOptionError('handler', 'must be a function, or give `work`')
    return ({ call, task }, acquired, served) =>
      execute<unknown>(engine, task, acquired, (own) => handler(call, own as Parameters<typeof handler>[1]), served)
  }

  function inTransactions(work: NonNullable<RecoverOptions<Tx>['work']>): Take {
    const store = requireTransactional<Tx>(engine.store)
    return ({ call, task }, acquired, served) =>
      executeFenced({ engine, task, store, work: (tx, own) => work(call, tx, own) }, acquired, served)
  }

  /** What the record keeps, if it is a call of this operation, and of this very record. */
  async function readKept(key: string): Promise<Kept | null> {
    const record = await engine.calls.get(key)
    if (!record?.request) return null
    const { fingerprint } = record
    const pipeline = engine.pipelineFor(policies.serializer)
    const call = await decodeRequest({ pipeline, key, fingerprint }, record.request).catch(() => null)
    if (call?.operation !== operation || (await storageKey(engine.digest, engine.namespace, call)) !== key) return null
    const unhurried = { ...policies, waitMs: 0 }
    return {
      call,
      task: { operation, key, fingerprint, policies: unhurried, pipeline, signal: undefined, request: undefined },
    }
  }

  function park(task: Task, { reply }: Acquired): Promise<Outcome<unknown>> {
    return createFinish<unknown>(engine, task, reply, holdSilently(policies.maxRunMs)).park()
  }
}
