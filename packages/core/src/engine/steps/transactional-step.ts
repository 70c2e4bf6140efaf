/** A step in the store's own database: its business write and the record of the step commit together. */

import type { CompletedStep } from '../../api/attempt.ts'
import { type Flow, runFlow, settled } from '../../base/maybe-promise.ts'
import { instant } from '../../base/timers.ts'
import { IdempotencyLeaseLostError, isIdempotencyError } from '../../errors.ts'
import type { BoundStore } from '../../store/store.ts'
import { requireTransactional } from '../../store/transactional-store.ts'
import type { OpenAttempt } from '../context/open-attempt.ts'
import { createConflictPauses } from '../mechanisms/conflict-retries.ts'
import type { Lease } from '../mechanisms/lease.ts'
import { asReplayed, readCheckpoint, requireRoom } from './checkpoint-encoding.ts'

/** The steps of an open attempt. */
export interface Progress {
  readonly opened: OpenAttempt
  readonly lease: Lease
  /** In order, those of earlier attempts included. */
  readonly taken: CompletedStep[]
  /** The number of the last checkpoint. */
  seq: number
}

/** Runs `work` in a transaction that also records the step. Retries conflicts, so that `work` may run more than once. */
export async function transactStep<T>(
  progress: Progress,
  name: string,
  work: (tx: unknown) => T | Promise<T>,
): Promise<CompletedStep> {
  const { opened, lease } = progress
  const { instance, prepared, head } = opened
  const { leaseMs } = prepared.policies
  const store = requireTransactional(instance.store)
  const snapshot = store.capabilities.snapshotTransactions === true
  const conflicts = createConflictPauses()

  function* writeAndRecord(tx: unknown, bound: BoundStore): Flow<CompletedStep> {
    const change = (checkpoint?: { seq: number; data: Uint8Array }) =>
      settled(bound.transition(prepared.key, head.token, { to: 'renew', leaseMs, ...(checkpoint && { checkpoint }) }))
    // the first statement fixes the snapshot, which must see the record as it is
    if (snapshot) yield* change()
    const step = { name, value: asReplayed(yield* settled(work(tx))) }
    const encoded = yield* settled(prepared.pipeline.encodeJson('checkpoint', [...progress.taken, step], prepared))
    const reply = yield* change({ seq: progress.seq + 1, data: requireRoom(prepared, step, encoded) })
    if (reply.outcome === 'ok' && reply.applied) return step
    throw lostBefore(name)
  }

  for (;;) {
    const sentAt = instant()
    if (snapshot) await lease.pause()
    try {
      const step = await store.transaction((tx) => runFlow(writeAndRecord(tx, store.bind(tx))))
      lease.extend(sentAt)
      return step
    } catch (error) {
      if (conflicts.areOver()) throw error
      if (isUnknown(error)) {
        const committed = await findCommitted(progress, name)
        if (committed) return committed
      } else if (!isIdempotencyError(error, 'IDEMPOTENCY_TRANSACTION_CONFLICT')) throw error
      await conflicts.pause()
    } finally {
      lease.resume()
    }
  }
}

/** Finds the step after a lost COMMIT: a renewal waits for that transaction, then the record shows whether it committed. */
async function findCommitted({ opened, seq }: Progress, name: string): Promise<CompletedStep | undefined> {
  const { instance, prepared, head } = opened
  const { calls, settleTimeoutMs } = instance
  const { leaseMs } = prepared.policies
  const held = await calls.transitionWithin(settleTimeoutMs, prepared.key, head.token, { to: 'renew', leaseMs })
  if (held.outcome === 'lost') throw lostBefore(name)
  const record = await calls.get(prepared.key)
  if (record?.token !== head.token) throw lostBefore(name)
  if (!record.checkpoint || record.checkpoint.seq <= seq) return undefined
  return (await readCheckpoint(prepared, record.checkpoint.data))?.at(-1)
}

function isUnknown(error: unknown): boolean {
  return isIdempotencyError(error, 'IDEMPOTENCY_STORE_UNAVAILABLE') && error.applied === 'unknown'
}

export function lostBefore(name: string): IdempotencyLeaseLostError {
  return new IdempotencyLeaseLostError(`Another attempt took the key over before '${name}' could be recorded.`)
}
