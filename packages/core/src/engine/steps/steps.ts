/**
 * Recovery points: the results of an attempt's steps go into the record's checkpoint, so that a later attempt does not
 * take a completed step again. Each costs one round trip, which also renews the lease.
 */

import type { CompletedStep, Steps } from '../../api/attempt.ts'
import { chain, type MaybePromise } from '../../base/maybe-promise.ts'
import { backOff, instant, later, sleep } from '../../base/timers.ts'
import { IdempotencyInvalidStepError, IdempotencyLeaseLostError, isIdempotencyError } from '../../errors.ts'
import { requireStep } from '../../keys/derived-keys.ts'
import type { BeginReply, Change } from '../../store/store.ts'
import { requireTransactional } from '../../store/transactional-store.ts'
import type { Instance } from '../context/instance.ts'
import type { PreparedCall } from '../context/prepared-call.ts'
import type { Lease } from '../mechanisms/lease.ts'
import { asReplayed, readCheckpoint } from './checkpoint.ts'

const MAX_TRIES = 10
const CONFLICT_PAUSES = { firstMs: 4, maxMs: 500 }

export async function openSteps(
  instance: Instance,
  prepared: PreparedCall,
  acquired: BeginReply,
  lease: Lease,
): Promise<Steps<unknown>> {
  const { key, pipeline, policies } = prepared
  const { token, checkpoint } = acquired
  const { leaseMs } = policies
  const earlier = checkpoint ? await readCheckpoint(prepared, checkpoint.data) : []
  const taken: CompletedStep[] = []
  let seq = checkpoint?.seq ?? 0
  let running: string | undefined

  /** The step as an earlier attempt completed it, or undefined. */
  function enter(name: string): CompletedStep | undefined {
    requireStep(name)
    if (running !== undefined)
      throw new IdempotencyInvalidStepError(`'${name}' began while '${running}' runs: one after the other.`)
    if (taken.some((step) => step.name === name))
      throw new IdempotencyInvalidStepError(`'${name}' is the name of two steps.`)
    const step = earlier[taken.length]
    if (!step) {
      running = name
      return undefined
    }
    if (step.name !== name) {
      throw new IdempotencyInvalidStepError(
        `An earlier attempt completed '${step.name}' where this one has '${name}': the list of steps has changed. ` +
          'Bring the old step back until no record needs it, or resolve the record by hand.',
      )
    }
    taken.push(step)
    return step
  }

  function leave(completed?: CompletedStep): void {
    running = undefined
    if (!completed) return
    taken.push(completed)
    seq++
  }

  /** What is sent once `step` is complete. */
  function change(step: CompletedStep): MaybePromise<Change> {
    return chain(pipeline.encodeJson('checkpoint', [...taken, step], prepared), (data): Change => {
      const { maxValueBytes } = instance.store.capabilities
      if (data.length > maxValueBytes) {
        throw new IdempotencyInvalidStepError(
          `After '${step.name}' the checkpoint has ${data.length} bytes; the store takes ${maxValueBytes}.`,
        )
      }
      return { to: 'renew', leaseMs, checkpoint: { seq: seq + 1, data } }
    })
  }

  async function save(step: CompletedStep): Promise<void> {
    const sentAt = instant()
    const until = later(sentAt, instance.settleTimeoutMs)
    const reply = await instance.calls.transitionUntil(until, key, token, await change(step))
    if (reply.outcome === 'lost') throw lost(step.name)
    lease.extend(sentAt)
  }

  async function transact<T>(name: string, work: (tx: unknown) => T | Promise<T>): Promise<CompletedStep> {
    const store = requireTransactional(instance.store)
    const snapshot = store.capabilities.snapshotTransactions === true
    for (let tries = 1; ; tries++) {
      const sentAt = instant()
      if (snapshot) await lease.pause()
      try {
        const step = await store.transaction((tx) => {
          const bound = store.bind(tx)
          const held = snapshot ? bound.transition(key, token, { to: 'renew', leaseMs }) : undefined
          return chain(held, () =>
            chain(work(tx), (value) => {
              const completed = { name, value: asReplayed(value) }
              return chain(change(completed), (sent) =>
                chain(bound.transition(key, token, sent), (reply) => {
                  if (reply.outcome === 'ok' && reply.applied) return completed
                  throw lost(name)
                }),
              )
            }),
          )
        })
        lease.extend(sentAt)
        return step
      } catch (error) {
        if (tries >= MAX_TRIES) throw error
        const committed = await recoverFrom(error, name, tries)
        if (committed) return committed
      } finally {
        lease.resume()
      }
    }
  }

  /** Undefined: the transaction was rolled back, so try again. */
  async function recoverFrom(error: unknown, name: string, tries: number): Promise<CompletedStep | undefined> {
    if (isUnknown(error)) return findCommitted(name)
    if (!isIdempotencyError(error, 'IDEMPOTENCY_TRANSACTION_CONFLICT')) throw error
    await sleep(backOff(tries, CONFLICT_PAUSES))
    return undefined
  }

  /** After a lost COMMIT: a renewal waits for that transaction, and then the record says whether it committed. */
  async function findCommitted(name: string): Promise<CompletedStep | undefined> {
    const until = later(instant(), instance.settleTimeoutMs)
    const held = await instance.calls.transitionUntil(until, key, token, { to: 'renew', leaseMs })
    if (held.outcome === 'lost') throw lost(name)
    const record = await instance.calls.get(key)
    if (record?.token !== token) throw lost(name)
    if (!record.checkpoint || record.checkpoint.seq <= seq) return undefined
    return (await readCheckpoint(prepared, record.checkpoint.data)).at(-1)
  }

  async function take<T>(name: string, run: () => Promise<CompletedStep>): Promise<T> {
    const before = enter(name)
    if (before) return before.value as T
    try {
      const completed = await run()
      leave(completed)
      return completed.value as T
    } finally {
      if (running === name) leave()
    }
  }

  return {
    checkpoint: earlier,
    step: (name, fn) =>
      take(name, async () => {
        const completed = { name, value: asReplayed(await fn()) }
        await save(completed)
        return completed
      }),
    transaction: (name, work) => take(name, () => transact(name, work)),
  }
}

function lost(name: string): IdempotencyLeaseLostError {
  return new IdempotencyLeaseLostError(`Another attempt took the key over before '${name}' could be recorded.`)
}

function isUnknown(error: unknown): boolean {
  return isIdempotencyError(error, 'IDEMPOTENCY_STORE_UNAVAILABLE') && error.applied === 'unknown'
}
