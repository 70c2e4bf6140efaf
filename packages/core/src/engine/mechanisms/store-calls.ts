/** Wraps every store call: a time-out, retries where a repeat is safe, typed errors, and a `storeUnavailable` event. */

import type { IdempotencyEvents } from '../../api/events.ts'
import { Bound } from '../../base/bounded.ts'
import { isPromise, type MaybePromise, orElse } from '../../base/maybe-promise.ts'
import type { TimerQueue } from '../../base/timer-queue.ts'
import { backOff, type Instant, instant, later, msUntil, sleep } from '../../base/timers.ts'
import { describeThrown } from '../../base/warn.ts'
import { type IdempotencyError, isIdempotencyError, StoreUnavailableError } from '../../errors.ts'
import { answerOf } from '../../store/answered.ts'
import type { BeginReply, Change, Claim, RecordStore, RecordView, TransitionReply } from '../../store/store.ts'

type CallName = IdempotencyEvents['storeUnavailable']['call']

/** Answers at once where the store does. Rejects where it fails, and throws nothing. */
export interface StoreCalls {
  /**
   * Begins, and repeats with the same owner after an error, within the store's time-out. After it gave up without an
   * answer, it asks again in the background and releases what it had acquired, so that nobody waits for the lease.
   */
  begin(key: string, claim: Claim): MaybePromise<Acquired>
  /** Tries once, for at most `withinMs`. */
  transition(key: string, token: number, change: Change, withinMs?: number): MaybePromise<TransitionReply>
  /**
   * Repeats until the store answers, or `patienceMs` are over: then it throws the last error. Given `isOver`, the pauses
   * keep no process alive, and it gives up after the try during which `isOver` became true.
   */
  transitionWithin(
    patienceMs: number,
    key: string,
    token: number,
    change: Change,
    isOver?: () => boolean,
  ): MaybePromise<TransitionReply>
  /**
   * Releases an attempt that was acquired and never ran, as interrupted as it was found. Repeats for one lease, after
   * which the key is free without it. Never rejects.
   */
  giveBack(key: string, acquired: BeginReply, terms: Pick<Claim, 'leaseMs' | 'retentionMs'>): Promise<void>
  get(key: string): MaybePromise<RecordView | null>
  /** Resolves to true once the store notifies of changes, until `signal` aborts; to false where it cannot, or failed. */
  watch(key: string, onChange: () => void, signal: AbortSignal): Promise<boolean>
}

const BEGIN_PAUSES = { firstMs: 20, maxMs: 500 }
const SETTLE_PAUSES = { firstMs: 50, maxMs: 2000 }
const MAX_BEGINS = 4
/** Slow, since a store that does not answer has enough to do. */
const LATE_PAUSES = { firstMs: 1000, maxMs: 10_000 }

export function createStoreCalls(
  store: RecordStore,
  timeoutMs: number,
  timers: TimerQueue,
  onError: (call: CallName, key: string, error: unknown) => void,
): StoreCalls {
  function bounded<T>(name: CallName, key: string, start: () => Promise<T>, withinMs: number): MaybePromise<T> {
    return withTimeout(timers, start, withinMs, (error) => {
      const typed = toStoreError(name, error)
      onError(name, key, typed)
      return typed
    })
  }

  const transition: StoreCalls['transition'] = (key, token, change, withinMs = timeoutMs) =>
    bounded('transition', key, () => store.transition(key, token, change), Math.min(withinMs, timeoutMs))

  const transitionWithin: StoreCalls['transitionWithin'] = (patienceMs, key, token, change, isOver) => {
    const first = transition(key, token, change)
    if (!isPromise(first)) return first
    const until = later(instant(), patienceMs)
    const again = () => transition(key, token, change)
    return first.catch((error) =>
      repeated(again, error, async (last, tries) => {
        const pause = backOff(tries, SETTLE_PAUSES)
        if (!canRepeat(last) || msUntil(until) < pause || isOver?.()) throw last
        await sleep(pause, undefined, { background: isOver !== undefined })
        if (isOver?.()) throw last
      }),
    )
  }

  const giveBack: StoreCalls['giveBack'] = async (key, { token, interrupted }, { leaseMs, retentionMs }) => {
    const change = { to: 'released', delayMs: 0, retentionMs, unresolved: interrupted } as const
    await orElse(transitionWithin(leaseMs, key, token, change), () => undefined)
  }

  /**
   * Ends a begin that was given up without an answer: repeats it with its owner until the store answers or the lease of
   * its claim is over. Releases what it acquires, also where `pending` is answered late.
   */
  async function abandon(key: string, claim: Claim, pending: Promise<BeginReply> | undefined): Promise<void> {
    const until = later(instant(), claim.leaseMs)
    let isAnswered = false
    const settle = async (reply: BeginReply) => {
      isAnswered = true
      if (reply.outcome === 'acquired') await giveBack(key, reply, claim)
    }
    pending?.then(settle).catch(() => undefined)
    for (let tries = 0; ; tries++) {
      const pause = backOff(tries, LATE_PAUSES)
      if (msUntil(until) < pause) return
      await sleep(pause, undefined, { background: true })
      if (isAnswered) return
      try {
        return await settle(await withTimeout(timers, () => store.begin(key, claim), timeoutMs))
      } catch (error) {
        // the time-out that gave it up has emitted an event
        if (!canRepeat(toStoreError('begin', error))) return
      }
    }
  }

  return {
    transition,
    transitionWithin,
    giveBack,

    begin(key, claim) {
      const begunAt = instant()
      let pending: Promise<BeginReply> | undefined
      const start = () => {
        pending = store.begin(key, claim)
        return pending
      }
      const again = async () => {
        const sentAt = instant()
        pending = undefined
        return { reply: await bounded('begin', key, start, timeoutMs + msUntil(begunAt)), sentAt }
      }
      let isUnknown = false
      const first = bounded('begin', key, start, timeoutMs)
      if (!isPromise(first)) return { reply: first, sentAt: begunAt }
      return first.then(
        (reply) => ({ reply, sentAt: begunAt }),
        (error) =>
          repeated(again, error, async (last, tries) => {
            const pause = backOff(tries, BEGIN_PAUSES)
            isUnknown ||= isIdempotencyError(last, 'IDEMPOTENCY_STORE_UNAVAILABLE') && last.applied === 'unknown'
            if (tries + 1 < MAX_BEGINS && canRepeat(last) && timeoutMs + msUntil(begunAt) > pause) return sleep(pause)
            if (isUnknown) void abandon(key, claim, pending)
            throw last
          }),
      )
    },

    get: (key) => bounded('get', key, () => store.get(key), timeoutMs),

    async watch(key, onChange, signal) {
      if (!store.watch) return false
      const arm = async () => store.watch?.(key, onChange, signal)
      try {
        await bounded('watch', key, arm, timeoutMs)
        return true
      } catch {
        return false
      }
    },
  }
}

/** Repeats what has failed once. `wait` throws where it is not to be tried again. */
async function repeated<T>(
  call: () => MaybePromise<T>,
  error: unknown,
  wait: (error: unknown, tries: number) => Promise<void>,
): Promise<T> {
  let last = error
  for (let tries = 0; ; tries++) {
    await wait(last, tries)
    try {
      return await call()
    } catch (next) {
      last = next
    }
  }
}

/** A store that is misconfigured stays so, and one that was closed does too. */
function canRepeat(error: unknown): boolean {
  return isIdempotencyError(error, 'IDEMPOTENCY_STORE_UNAVAILABLE')
}

/** Types an error of a driver, after which nobody knows whether the call took effect. */
function toStoreError(name: CallName, error: unknown): IdempotencyError {
  if (isIdempotencyError(error)) return error
  return new StoreUnavailableError(`The store failed in ${name}: ${describeThrown(error)}`, {
    applied: 'unknown',
    cause: error,
  })
}

/**
 * Returns the answer where the call has it at once. Else settles as the call does, or rejects when its time is over.
 * `typed` replaces what it is rejected with.
 */
function withTimeout<T>(
  timers: TimerQueue,
  start: () => Promise<T>,
  ms: number,
  typed: (error: unknown) => unknown = (error) => error,
): MaybePromise<T> {
  let call: Promise<T>
  try {
    call = start()
  } catch (error) {
    // a store that throws at once rejects too
    return Promise.reject(typed(error))
  }
  const answer = answerOf(call)
  if (answer !== call) return answer
  return new Promise((resolve, reject) => {
    const late = () => {
      const message = `The store did not answer within ${Math.ceil(ms)} ms.`
      reject(typed(new StoreUnavailableError(message, { applied: 'unknown' })))
    }
    const bound = new Bound(ms, late, timers)
    Promise.resolve(call).then(
      (value) => {
        if (bound.end()) resolve(value)
      },
      (error) => {
        if (bound.end()) reject(typed(error))
      },
    )
  })
}

/** A `begin` that gave the right to run, and the instant before it was sent. */
export interface Acquired {
  readonly reply: BeginReply
  readonly sentAt: Instant
}
