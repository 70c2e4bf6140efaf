/** A fleet of processes that run one key on a virtual clock, with trouble: what it does is decided by its scenario alone. */
import { type Fault, faulty } from '@retryproof/conformance'
import { memoryStore } from '@retryproof/memory'
import { expect, vi } from 'vitest'
import type { Attempt } from '../src/api/attempt.ts'
import { release } from '../src/api/handler-results.ts'
import type { Idempotency } from '../src/api/idempotency.ts'
import { sleep } from '../src/base/timers.ts'
import { createIdempotency } from '../src/engine/create-idempotency.ts'
import { IdempotencyReplayedFailureError } from '../src/errors.ts'
import { interposed } from './interposed-store.ts'
import { charge } from './testbed.ts'

export const PROCESSES = 3

/** Somebody who calls, and calls again after an error. */
export interface Client {
  readonly process: number
  readonly startsAt: number
  readonly tries: number
  /** The time that each call waits for another attempt; 0: not at all. */
  readonly waitMs: number
}

/** The end of a run of the handler: `store` is a failure for good. */
export interface Execution {
  readonly ms: number
  readonly end: 'value' | 'throw' | 'store' | 'release'
}

/** A process that stands still for a while, or for ever. */
export interface Trouble {
  readonly process: number
  readonly at: number
  readonly kind: 'crash' | 'pause'
  readonly forMs: number
}

export interface Scenario {
  readonly seed: number
  /** Longer than a lease, so that replies can be later than that, or shorter. */
  readonly storeTimeoutMs: number
  readonly clients: readonly Client[]
  /** In the order in which the runs begin; later ones make a value at once. */
  readonly executions: readonly Execution[]
  /** The fate of each call of the store, in order; `lateMs`: it is done at once and answered late. */
  readonly faults: readonly (Fault | { readonly lateMs: number } | null)[]
  readonly troubles: readonly Trouble[]
}

/** The result of a client. */
export type Answer =
  | { readonly kind: 'recorded' | 'unrecorded'; readonly value: string }
  | { readonly kind: 'failed'; readonly error: unknown }

export interface Played {
  /** The ends of the runs, in the order in which they began. */
  readonly ends: readonly Execution['end'][]
  /** Of the clients whose processes did not crash. */
  readonly answers: readonly Answer[]
  /** Of a client that comes when all is calm again. */
  readonly last: Answer
}

interface Process {
  readonly idempotency: Idempotency
  crashed: boolean
  /** Resolves when it no longer stands still. */
  awake: Promise<unknown>
}

interface Run {
  readonly attempt: Attempt
  readonly end: Execution['end']
  over: boolean
}

const policies = { lease: 1000, settleTimeout: 800, maxRun: 8000, retention: '1h' } as const

class FinalError extends Error {}

/** Plays a scenario to its end. It needs fake timers. */
export async function play(scenario: Scenario): Promise<Played> {
  const { seed, storeTimeoutMs, clients, executions, faults, troubles } = scenario
  vi.clearAllTimers()
  vi.spyOn(Math, 'random').mockImplementation(randomFrom(seed))
  const records = memoryStore({ now: () => Date.now() })
  const fleet = Array.from({ length: PROCESSES + 1 }, startProcess)
  const runs: Run[] = []
  /** Collected, since what a handler throws is only one more failure to the engine. */
  const violations: string[] = []
  /** Somebody was told a result that is on record: from now on nothing may run. */
  let told = false
  let calm = false
  let calls = 0

  function startProcess(): Process {
    const store = interposed(faulty(records, () => nextFault))
    let nextFault: Fault | null = null
    store.fate = () => {
      if (process.crashed) return 'never done'
      const fault = calm ? null : (faults[calls++] ?? null)
      const lateMs = fault && typeof fault === 'object' && 'lateMs' in fault ? fault.lateMs : 0
      nextFault = lateMs > 0 ? null : (fault as Fault | null)
      // a process that stands still sends and reads only when it goes on
      return { before: process.awake, after: sleep(lateMs).then(() => process.awake) }
    }
    const process: Process = {
      idempotency: createIdempotency({ store, namespace: 'n', storeTimeout: storeTimeoutMs, ...policies }),
      crashed: false,
      awake: Promise.resolve(),
    }
    return process
  }

  async function handle(process: Process, attempt: Attempt) {
    if (told) violations.push('a run after a result was on record')
    for (const { over, attempt: other } of runs) {
      if (!over && !other.signal.aborted) violations.push('two attempts that both believe to hold the key')
      if (!over && !attempt.interrupted) violations.push('an attempt that is not told of one that fell silent')
      if ((attempt.token ?? 0) <= (other.token ?? 0)) violations.push('a token that does not rise')
    }
    const { ms, end } = executions[runs.length] ?? { ms: 10, end: 'value' }
    const run: Run = { attempt, end, over: false }
    runs.push(run)
    const value = `made by run ${runs.length}`
    await sleep(ms)
    await process.awake
    run.over = true
    if (end === 'throw') throw new Error(value)
    if (end === 'store') throw new FinalError(value)
    return end === 'release' ? release(value) : value
  }

  async function callOnce(process: Process, waitMs: number): Promise<Answer> {
    const outcome = await process.idempotency.run<string>(charge, (attempt) => handle(process, attempt), {
      onFailure: (error) => (error instanceof FinalError ? 'store' : 'retry'),
      onInProgress: waitMs > 0 ? { wait: waitMs } : 'reject',
    })
    return { kind: outcome.recorded ? 'recorded' : 'unrecorded', value: outcome.value }
  }

  async function live({ process: index, startsAt, tries, waitMs }: Client): Promise<Answer> {
    const process = fleet[index] as Process
    await sleep(startsAt)
    let answer: Answer = { kind: 'failed', error: new Error('never tried') }
    for (let left = tries; left > 0 && answer.kind === 'failed'; left--) {
      answer = await callOnce(process, waitMs).catch(asAnswer)
      if (answer.kind === 'recorded') told = true
      if (answer.kind === 'failed') await sleep(250)
    }
    return answer
  }

  async function suffer({ process: index, at, kind, forMs }: Trouble): Promise<void> {
    const process = fleet[index] as Process
    await sleep(at)
    if (kind === 'crash') process.crashed = true
    const over = sleep(forMs)
    process.awake = Promise.all([process.awake, over])
    await over
  }

  /** More often than there are executions that record nothing. */
  async function askUntilRecorded(): Promise<Answer> {
    const client = { process: PROCESSES, startsAt: 0, tries: 10, waitMs: 0 }
    let answer = await live(client)
    for (let left = executions.length; left > 0 && answer.kind === 'unrecorded'; left--) answer = await live(client)
    return answer
  }

  async function everything(): Promise<Pick<Played, 'answers' | 'last'>> {
    const doomed = new Set(troubles.filter(({ kind }) => kind === 'crash').map((each) => each.process))
    // nobody hears what a crashed process answers
    for (const client of clients.filter((each) => doomed.has(each.process))) void live(client)
    const answers = Promise.all(clients.filter((each) => !doomed.has(each.process)).map(live))
    await Promise.all(troubles.map(suffer))
    await answers
    // past every lease, recording and late reply
    await sleep(60_000)
    calm = true
    for (const { crashed, idempotency } of fleet.slice(0, PROCESSES)) {
      if (!crashed)
        expect(await idempotency.drain({ timeout: 1 }), 'something that goes on for ever').toEqual({ unfinished: 0 })
    }
    return { answers: await answers, last: await askUntilRecorded() }
  }

  const end = await untilOver(everything())
  expect(violations).toEqual([])
  return { ...end, ends: runs.map((run) => run.end) }
}

/** A failure on record is a result like any other. */
function asAnswer(error: unknown): Answer {
  if (error instanceof IdempotencyReplayedFailureError) return { kind: 'recorded', value: error.message }
  return { kind: 'failed', error }
}

/** Lets time pass until `work` is over. */
async function untilOver<T>(work: Promise<T>): Promise<T> {
  let over = false
  const end = () => {
    over = true
  }
  work.then(end, end)
  const begunAt = performance.now()
  while (!over) {
    expect(performance.now() - begunAt, 'it does not come to an end').toBeLessThan(600_000)
    await vi.advanceTimersToNextTimerAsync()
  }
  return work
}

/** Numbers from 0 to 1 that a seed decides. */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}
