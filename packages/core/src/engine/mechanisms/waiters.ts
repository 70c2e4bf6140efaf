/** Waiting for a record that another attempt holds. All waiters of a key in this process share one watcher. */

import { backOff, sleep } from '../../base/timers.ts'
import type { RecordView } from '../../store/store.ts'
import type { StoreCalls } from './store-calls.ts'

export interface Waiters {
  /**
   * The record once nobody holds it (settled, parked, due, lapsed; null: gone); `undefined` when the time was over or
   * `signal` aborted first. Whoever gives up leaves the record, and the other waiters, alone.
   */
  wait(key: string, timeoutMs: number, signal?: AbortSignal): Promise<RecordView | null | undefined>
}

interface Watch {
  readonly free: Promise<RecordView | null | undefined>
  /** Stops watching; whoever waits from now on starts a new watch. */
  end(): void
  waiters: number
}

const POLL = { firstMs: 20, maxMs: 1000 }
/** A notification is a hint: one that is lost costs at most this long. */
const POLL_BESIDE_WATCH = { firstMs: 1000, maxMs: 4000 }

export function createWaiters(calls: StoreCalls): Waiters {
  const watches = new Map<string, Watch>()

  function join(key: string): Watch {
    const existing = watches.get(key)
    if (existing) return existing
    const stop = new AbortController()
    const watch: Watch = {
      waiters: 0,
      free: waitUntilFree(calls, key, stop.signal),
      end() {
        stop.abort()
        if (watches.get(key) === watch) watches.delete(key)
      },
    }
    watches.set(key, watch)
    void watch.free.then(watch.end)
    return watch
  }

  return {
    async wait(key, timeoutMs, signal) {
      const watch = join(key)
      watch.waiters++
      const over = new AbortController()
      const giveUp = () => over.abort()
      signal?.addEventListener('abort', giveUp)
      if (signal?.aborted) giveUp()
      try {
        return await Promise.race([watch.free, sleep(timeoutMs, over.signal).then(() => undefined)])
      } finally {
        signal?.removeEventListener('abort', giveUp)
        giveUp()
        watch.waiters--
        if (watch.waiters === 0) watch.end()
      }
    },
  }
}

async function waitUntilFree(
  calls: StoreCalls,
  key: string,
  signal: AbortSignal,
): Promise<RecordView | null | undefined> {
  const hint = createHint()
  // armed before the record is read, so that no change falls between
  const armed = await calls.watch(key, hint.give, signal)
  for (let tries = 0; !signal.aborted; tries++) {
    const record = await calls.get(key).catch(() => undefined)
    if (record !== undefined && !isHeld(record)) return record
    const pause = backOff(tries, armed ? POLL_BESIDE_WATCH : POLL)
    await hint.taken(Math.min(pause, (record?.leaseRemainingMs ?? pause) + 1), signal)
  }
  return undefined
}

function isHeld(record: RecordView | null): boolean {
  return (record?.state === 'in_progress' || record?.state === 'released') && record.leaseRemainingMs > 0
}

/** A hint that is given while nobody waits is not lost. */
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
