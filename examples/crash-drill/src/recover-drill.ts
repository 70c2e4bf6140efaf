/** Kills workers in the middle of their calls, and has `recover()` finish those calls: no client sends anything again. */
import { setTimeout as sleep } from 'node:timers/promises'
import { openBackend } from './backends.ts'
import { isInStore, openCharging } from './charging.ts'
import { openDownstream } from './downstream.ts'
import type { Mode } from './messages.ts'
import type { Place } from './place.ts'
import { ownWorker, standStill } from './worker-calls.ts'

export interface RecoverOptions {
  readonly place: Place
  readonly mode: Mode
  readonly calls: number
  readonly leaseMs?: number
}

export interface RecoverReport {
  readonly calls: number
  readonly kills: number
  /** Calls that had their effect before their worker was killed; in `fenced` it was not committed. */
  readonly killedAfterEffect: number
  /** By the recoverers together. */
  readonly finished: number
  readonly rounds: number
  readonly unfinished: number
  readonly duplicates: number
  readonly missing: number
}

/** Fewer than a worker has connections: in `fenced` each call holds one. */
const CALLS_PER_WORKER = 7
const WORKERS_AT_ONCE = 3
const RECOVERERS = 2
const MAX_ROUNDS = 20

export async function recoverDrill({ place, mode, calls, leaseMs = 60 }: RecoverOptions): Promise<RecoverReport> {
  const keys = Array.from({ length: calls }, (_, index) => `${mode}-${index}`)
  const backends = await Promise.all(Array.from({ length: RECOVERERS }, () => openBackend(place)))
  const [backend] = backends as [(typeof backends)[0]]
  const downstream = openDownstream(place)
  try {
    await backend.prepare()
    const batches = Array.from({ length: Math.ceil(calls / CALLS_PER_WORKER) }, (_, index) =>
      keys.slice(index * CALLS_PER_WORKER, (index + 1) * CALLS_PER_WORKER),
    )
    const kills = batches.length
    const killedAfterEffect = keys.filter((_, index) => index % 2 === 0).length
    const crash = async () => {
      for (let batch = batches.pop(); batch; batch = batches.pop()) await crashIn(batch)
    }
    await Promise.all(Array.from({ length: WORKERS_AT_ONCE }, crash))

    const recoverers = backends.map((each) => openCharging(each, downstream, leaseMs))
    let finished = 0
    let rounds = 0
    while (finished < calls && rounds < MAX_ROUNDS) {
      rounds++
      await sleep(leaseMs * 2)
      const recovered = await Promise.all(recoverers.map(({ recover }) => recover(mode)))
      for (const each of recovered) finished += each.finished
    }
    const counts = new Map(keys.map((key) => [key, 0]))
    const effects = isInStore(mode) ? await backend.effects() : downstream.charges()
    for (const { key } of effects) counts.set(key, (counts.get(key) ?? 0) + 1)
    let unfinished = 0
    const { idempotency } = openCharging(backend, downstream, leaseMs)
    for await (const { state } of idempotency.list()) if (state !== 'completed') unfinished++
    return {
      calls,
      kills,
      killedAfterEffect,
      finished,
      rounds,
      unfinished,
      duplicates: [...counts.values()].filter((count) => count > 1).length,
      missing: [...counts.values()].filter((count) => count === 0).length,
    }
  } finally {
    downstream.close()
    await Promise.all(backends.map((each) => each.close()))
  }

  /** Half of the calls stand still before their effect, half after it; then their worker is killed. */
  async function crashIn(batch: readonly string[]): Promise<void> {
    const worker = await ownWorker({ place, leaseMs })
    const stand = (key: string) =>
      standStill(worker, mode, key, keys.indexOf(key) % 2 === 0 ? 'after the effect' : 'before the effect')
    await Promise.all(batch.map(stand))
    await worker.kill()
  }
}
