/** Removes expired records, by one process of a fleet at a time. */

import { unscoped } from '../../api/call.ts'
import type { PurgeOptions, PurgeRunner } from '../../api/operators.ts'
import { within } from '../../base/bounded.ts'
import { toMs } from '../../base/durations.ts'
import { assertKnownOptions } from '../../base/options/known-options.ts'
import { startTimer } from '../../base/timers.ts'
import { IdempotencyInvalidOptionError, isIdempotencyError } from '../../errors.ts'
import { operationSlug, storageKey } from '../../keys/storage-key.ts'
import type { Instance } from '../context/instance.ts'

const MIN_EVERY_MS = 1000

/** The record by which a fleet purges one after the other. */
const PURGE_TURN = { operation: 'retryproof purge', scope: unscoped, key: 'turn' } as const
const PURGE_SLUG = operationSlug(PURGE_TURN.operation)

/** Tells whether records of an operation, by its slug, are turns of the purge: no call of anybody. */
export function isPurgeTurn(slug: string): boolean {
  return slug === PURGE_SLUG
}

/**
 * Purges on a timer. The turn is a record of its own: the process that acquires it purges, and then releases it with a
 * delay, so that nobody has the next turn before it is due.
 *
 * @throws {@link IdempotencyInvalidOptionError} when the store cannot purge, or an option is out of range
 */
function startPurge(instance: Instance, options: PurgeOptions, periodsBefore = 0): PurgeRunner {
  const { store, calls } = instance
  const { everyMs, batch, onPurged } = readPurgeOptions(instance, options)
  const retentionMs = 10 * everyMs
  let stopTimer = () => {}
  let stopped = false
  let current: Promise<void> = Promise.resolve()

  async function purgeInTurn(): Promise<void> {
    const key = storageKey(instance.digest, instance.namespace, PURGE_TURN)
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
        current = purgeInTurn().catch((error) => {
          stopped ||= isIdempotencyError(error, 'IDEMPOTENCY_STORE_CLOSED')
        })
        void current.then(() => stopped || schedule(everyMs))
      },
      { background: true },
    )
  }

  // a random part, so that processes that start together do not purge together
  schedule(everyMs * (periodsBefore + Math.random()))
  return {
    async stop() {
      stopped = true
      stopTimer()
      await current
    },
  }
}

/** The purge of an instance: begins with its first call, and ends with `drain`. */
export interface DefaultPurge {
  /** Starts the timer, the first time. */
  begin(): void
  /** Stops the timer, and starts the one that the application asks for; none after `end`. */
  replace(options: PurgeOptions): PurgeRunner
  /** Purges no more; waits for a purge that runs, at most `ms`. */
  end(ms: number): Promise<void>
}

/**
 * Purges by default, where the store needs it. An instance that is never called sets no timer.
 *
 * @throws {@link IdempotencyInvalidOptionError} when an option is out of range, or given for a store that cannot purge
 */
export function purgeByDefault(instance: Instance, purge: PurgeOptions | false | undefined): DefaultPurge {
  let runner: PurgeRunner | undefined
  let isOver = purge === false || !instance.store.purge
  let isDrained = false
  const options = purge || {}
  if (purge) readPurgeOptions(instance, purge)
  return {
    begin() {
      if (isOver) return
      isOver = true
      runner = startPurge(instance, options, 1)
    },
    replace(chosen) {
      const started = startPurge(instance, chosen)
      isOver = true
      void runner?.stop()
      runner = started
      if (isDrained) void started.stop()
      return started
    },
    async end(ms) {
      isOver = true
      isDrained = true
      if (runner) await within(ms, runner.stop(), () => new Error('The purge goes on.')).catch(() => {})
    },
  }
}

function readPurgeOptions({ store }: Instance, options: PurgeOptions) {
  assertKnownOptions(options, { every: true, batch: true, onPurged: true })
  const { every = '1m', batch = 1000, onPurged } = options
  const everyMs = toMs('every', every, { min: MIN_EVERY_MS })
  if (!store.purge)
    throw new IdempotencyInvalidOptionError('store', 'has nothing to purge, or its database does that by itself')
  if (!Number.isInteger(batch) || batch < 1)
    throw new IdempotencyInvalidOptionError('batch', 'must be a whole number from 1')
  return { everyMs, batch, onPurged }
}
