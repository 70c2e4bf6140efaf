/**
 * Waiting for a record that another attempt holds. All waiters of a key in this process share one watch. A settled record
 * wakes them all; a free key wakes one of them, which begins, while the others wait on.
 */

import { orElse } from '../../base/maybe-promise.ts'
import { backOff, sleep, startTimer } from '../../base/timers.ts'
import type { RecordView } from '../../store/store.ts'
import type { StoreCalls } from './store-calls.ts'

export interface Waiters {
  /**
   * Resolves to the record once nobody holds it (settled, parked, due, lapsed; null: gone), or to `undefined` when the
   * time is over or `signal` aborts. A waiter that gives up leaves the record, and the other waiters, alone.
   */
  wait(key: string, timeoutMs: number, signal?: AbortSignal): Promise<RecordView | null | undefined>
}

type Wake = (record: RecordView | null | undefined) => void

interface Watch {
  /** In the order in which they came. */
  readonly waiting: Set<Wake>
  readonly stop: AbortController
}

const POLL = { firstMs: 20, maxMs: 1000 }
/** A notification is a hint: one that is lost costs at most this long. */
const POLL_BESIDE_WATCH = { firstMs: 1000, maxMs: 4000 }

export function createWaiters(calls: StoreCalls): Waiters {
  const watches = new Map<string, Watch>()

  function join(key: string, wake: Wake): void {
    const existing = watches.get(key)
    const watch = existing ?? { waiting: new Set(), stop: new AbortController() }
    watch.waiting.add(wake)
    if (existing) return
    watches.set(key, watch)
    void serve(calls, key, watch)
  }

  function leave(key: string, wake: Wake): void {
    const watch = watches.get(key)
    if (!watch?.waiting.delete(wake) || watch.waiting.size > 0) return
    watches.delete(key)
    watch.stop.abort()
  }

  return {
    wait: (key, timeoutMs, signal) =>
      new Promise((resolve) => {
        if (signal?.aborted) return resolve(undefined)
        const giveUp = () => wake(undefined)
        const stopTimer = startTimer(timeoutMs, giveUp)
        const wake: Wake = (record) => {
          stopTimer()
          signal?.removeEventListener('abort', giveUp)
          leave(key, wake)
          resolve(record)
        }
        signal?.addEventListener('abort', giveUp)
        join(key, wake)
      }),
  }
}

async function serve(calls: StoreCalls, key: string, { waiting, stop: { signal } }: Watch): Promise<void> {
  const hint = createHint()
  // armed before the record is read, so that no change falls between
  const armed = await calls.watch(key, hint.give, signal)
  const pauses = armed ? POLL_BESIDE_WATCH : POLL
  let tries = 0
  while (!signal.aborted) {
    const record = await orElse(calls.get(key), () => undefined)
    let pause = backOff(tries++, pauses)
    if (record !== undefined && !isHeld(record)) {
      const woken = isFree(record) ? [...waiting].slice(0, 1) : [...waiting]
      for (const wake of woken) wake(record)
      // the waiter that was woken may not begin after all: looks again soon
      tries = 0
      pause = backOff(0, POLL)
    }
    await hint.taken(Math.min(pause, (record?.leaseRemainingMs || pause) + 1), signal)
  }
}

/** Tells whether an attempt may begin: nobody holds the record, and nothing is decided. */
function isFree(record: RecordView | null): boolean {
  return record === null || record.state === 'in_progress' || record.state === 'released'
}

function isHeld(record: RecordView | null): boolean {
  return (record?.state === 'in_progress' || record?.state === 'released') && record.leaseRemainingMs > 0
}

/** Keeps a hint that is given while nobody waits for one. */
function createHint() {
  let given = false
  let wake = () => {}
  return {
    give(): void {
      given = true
      wake()
    },
    async taken(timeoutMs: number, signal: AbortSignal): Promise<void> {
      if (!given) {
        const woken = new AbortController()
        wake = () => woken.abort()
        signal.addEventListener('abort', wake)
        await sleep(timeoutMs, woken.signal)
        signal.removeEventListener('abort', wake)
      }
      given = false
    },
  }
}
