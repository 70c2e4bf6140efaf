/** Removes expired records, by one process of a fleet at a time. */

import { unscoped } from '../../api/call.ts'
import type { PurgeOptions, PurgeRunner } from '../../api/operators.ts'
import { toMs } from '../../base/durations.ts'
import { startTimer } from '../../base/timers.ts'
import { IdempotencyInvalidOptionError } from '../../errors.ts'
import { storageKey } from '../../keys/storage-key.ts'
import type { Instance } from '../context/instance.ts'

const MIN_EVERY_MS = 1000

/**
 * Purges on a timer. The turn is a record of its own: the process that acquires it purges, and then releases it with a
 * delay, so that nobody has the next turn before it is due.
 *
 * @throws {@link IdempotencyInvalidOptionError} when the store cannot purge, or an option is out of range
 */
export function startPurge(instance: Instance, { every = '1m', batch = 1000, onPurged }: PurgeOptions): PurgeRunner {
  const { store, calls } = instance
  const everyMs = toMs('every', every, { min: MIN_EVERY_MS })
  if (!store.purge)
    throw new IdempotencyInvalidOptionError('store', 'has nothing to purge, or its database does that by itself')
  if (!Number.isInteger(batch) || batch < 1)
    throw new IdempotencyInvalidOptionError('batch', 'must be a whole number from 1')
  const turn = { operation: 'retryproof purge', scope: unscoped, key: 'turn' } as const
  const retentionMs = 10 * everyMs
  let stopTimer = () => {}
  let stopped = false
  let current: Promise<void> = Promise.resolve()

  async function purgeInTurn(): Promise<void> {
    const key = await storageKey(instance.digest, instance.namespace, turn)
    const claim = { owner: crypto.randomUUID(), fingerprint: 'purge', leaseMs: everyMs, retentionMs }
    const { reply } = await calls.begin(key, claim)
    if (reply.outcome !== 'acquired') return
    const removed = await purgeAll(everyMs).catch((error) => {
      instance.events.emit('storeUnavailable', { namespace: instance.namespace, key, call: 'purge', error })
      return 0
    })
    await calls.transition(key, reply.token, { to: 'released', delayMs: everyMs, retentionMs })
    onPurged?.(removed)
  }

  /** Purges in batches, for at most `withinMs`: as long as the turn is held. */
  async function purgeAll(withinMs: number): Promise<number> {
    const until = performance.now() + withinMs
    let removed = 0
    let last = batch
    while (last >= batch && !stopped && performance.now() < until) {
      last = (await store.purge?.({ limit: batch })) ?? 0
      removed += last
    }
    return removed
  }

  function schedule(ms: number): void {
    stopTimer = startTimer(
      ms,
      () => {
        // a turn that failed does not end the others
        current = purgeInTurn().catch(() => undefined)
        void current.then(() => stopped || schedule(everyMs))
      },
      { background: true },
    )
  }

  // random first delay, so that processes that start together do not purge together
  schedule(Math.random() * everyMs)
  return {
    async stop() {
      stopped = true
      stopTimer()
      await current
    },
  }
}
