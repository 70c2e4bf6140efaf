import { AssertionError } from 'node:assert'
import { isDeepStrictEqual } from 'node:util'
import type { RecordView } from '@retryproof/core'
import {
  type BeginReply,
  type BoundStore,
  type Change,
  type Claim,
  type Command,
  reduce,
  type StoredRecord,
  type TransitionReply,
} from '@retryproof/core/store'
import { freshKey } from '../tools/keys.ts'
import { type Reply, send } from './command.ts'
import { describeCommand, inOneLine, readable } from './readable.ts'

/**
 * The start of injected clocks (ms): ahead of every real clock, so that a purge by real time leaves the records of the
 * suite alone, and early enough for 200 years in µs to be exact.
 */
export const EPOCH_MS = Date.UTC(2040, 0)

/** A clock that stands until it is moved. */
export interface ManualClock {
  nowMs: number
  readonly now: () => number
}

export function manualClock(startMs = EPOCH_MS): ManualClock {
  const clock = { nowMs: startMs, now: () => clock.nowMs }
  return clock
}

/** A store and its model side by side: every call goes to both, and the store must answer as `reduce` does. */
export interface Twin {
  readonly clock: ManualClock
  begin(claim?: Partial<Claim>, key?: string): Promise<BeginReply>
  transition(token: number, change: Change, key?: string): Promise<TransitionReply>
  get(key?: string): Promise<RecordView | null>
  /** Moves the clock. */
  advance(ms: number): void
  /** The model's record. */
  record(key?: string): StoredRecord | null
}

/** Makes a twin of `store`, which was opened with the clock. Calls without a key use one of the twin's own. */
export function createTwin(store: BoundStore, clock: ManualClock): Twin {
  const ownKey = freshKey()
  const records = new Map<string, StoredRecord | null>()
  const trace: string[] = []
  const startedMs = clock.nowMs

  async function call(key: string, command: Command): Promise<Reply> {
    const { record, reply } = reduceAny(records.get(key) ?? null, command, clock.nowMs * 1000)
    records.set(key, record)
    const name = key === ownKey ? '' : `…${key.slice(-6)} `
    trace.push(`${clock.nowMs - startedMs} ms: ${name}${describeCommand(command)}`)
    const answered = await send(store, key, command)
    const [actual, expected] = [readable(answered), readable(reply)]
    if (!isDeepStrictEqual(actual, expected)) {
      throw new AssertionError({
        message: [
          `${command.op} did not answer as the contract says, after`,
          ...trace.map((line) => `  ${line}`),
          `expected ${inOneLine(expected)}`,
          `but got  ${inOneLine(actual)}`,
        ].join('\n'),
        actual,
        expected,
        operator: 'deepStrictEqual',
      })
    }
    trace[trace.length - 1] += ` -> ${inOneLine(actual)}`
    return answered
  }

  return {
    clock,
    begin: (claim, key = ownKey) =>
      call(key, { op: 'begin', claim: { ...plainClaim, ...claim } }) as Promise<BeginReply>,
    transition: (token, change, key = ownKey) =>
      call(key, { op: 'transition', token, change }) as Promise<TransitionReply>,
    get: (key = ownKey) => call(key, { op: 'get' }) as Promise<RecordView | null>,
    advance(ms) {
      clock.nowMs += ms
    },
    record: (key = ownKey) => records.get(key) ?? null,
  }
}

const plainClaim: Claim = { owner: 'owner', fingerprint: 'fingerprint', leaseMs: 30_000, retentionMs: 3_600_000 }

function reduceAny(
  record: StoredRecord | null,
  command: Command,
  now: number,
): { record: StoredRecord | null; reply: Reply } {
  switch (command.op) {
    case 'begin':
      return reduce(record, command, now)
    case 'transition':
      return reduce(record, command, now)
    case 'get':
      return reduce(record, command, now)
  }
}
