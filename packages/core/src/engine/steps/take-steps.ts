/**
 * Recovery points: the results of an attempt's steps go into the record's checkpoint, so that a later attempt does not
 * take a completed step again. Each costs one round trip, which also renews the lease.
 */

import type { Attempt, CompletedStep, Steps } from '../../api/attempt.ts'
import { after, type MaybePromise } from '../../base/maybe-promise.ts'
import { instant } from '../../base/timers.ts'
import { IdempotencyInvalidStepError, IdempotencyNotReplayableError } from '../../errors.ts'
import { requireStep } from '../../keys/derived-keys.ts'
import { SteppingAttempt } from '../context/handler-attempt.ts'
import type { OpenAttempt } from '../context/open-attempt.ts'
import type { Lease } from '../mechanisms/lease.ts'
import { encodeTaken, readCheckpoint } from './checkpoint-encoding.ts'
import { lostBefore, type Progress, transactStep } from './transactional-step.ts'

type Taker = Pick<Steps<unknown>, 'step' | 'transaction'>

/** The attempt as its handler sees it, with the steps that earlier attempts completed. */
export function openSteps(opened: OpenAttempt, lease: Lease): MaybePromise<Attempt & Steps<unknown>> {
  const { checkpoint } = opened.head
  const earlier = checkpoint ? readCheckpoint(opened.prepared, checkpoint.data) : []
  return after(
    earlier,
    (steps) => new SteppingAttempt(opened, lease, steps ?? [], () => takeSteps(opened, lease, steps)),
  )
}

/** @param earlier the steps that earlier attempts completed; null where nobody knows them */
function takeSteps(opened: OpenAttempt, lease: Lease, earlier: readonly CompletedStep[] | null): Taker {
  const { instance, prepared, head } = opened
  const { leaseMs } = prepared.policies
  const progress: Progress = { opened, lease, taken: [], seq: head.checkpoint?.seq ?? 0 }
  const { taken } = progress
  let running: string | undefined

  /** Returns the step as an earlier attempt completed it, or undefined. */
  function enter(name: string): CompletedStep | undefined {
    requireStep(name)
    if (running !== undefined)
      throw new IdempotencyInvalidStepError(`'${name}' began while '${running}' runs: one after the other.`)
    if (taken.some((step) => step.name === name))
      throw new IdempotencyInvalidStepError(`'${name}' is the name of two steps.`)
    if (!earlier) throw new IdempotencyNotReplayableError('not-encodable')
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
    if (step.omitted) throw new IdempotencyNotReplayableError(step.omitted)
    return step
  }

  async function take<T>(name: string, run: () => Promise<CompletedStep>): Promise<T> {
    const before = enter(name)
    if (before) return before.value as T
    try {
      return (await run()).value as T
    } finally {
      running = undefined
    }
  }

  /** Counts a step that the store has recorded. */
  function leave(step: CompletedStep): CompletedStep {
    taken.push(step)
    progress.seq++
    opened.hasSteps = true
    return step
  }

  async function record(name: string, value: unknown): Promise<CompletedStep> {
    const { step, data, problem } = await encodeTaken(prepared, taken, name, value)
    const sentAt = instant()
    const change = { to: 'renew', leaseMs, checkpoint: { seq: progress.seq + 1, data } } as const
    const reply = await instance.calls.transitionWithin(instance.settleTimeoutMs, prepared.key, head.token, change)
    if (reply.outcome === 'lost') throw lostBefore(name)
    lease.extend(sentAt)
    leave(step)
    if (problem) throw problem
    return step
  }

  return {
    step: (name, fn) => take(name, async () => record(name, await fn())),
    transaction: (name, work) => take(name, async () => leave(await transactStep(progress, name, work))),
  }
}
