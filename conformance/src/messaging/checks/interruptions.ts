import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { StoreUnavailableError, wrapStore } from '@retryproof/core/store'
import type { ConsumerCheck } from '../check.ts'
import { countsOf, gate } from '../consumer-harness.ts'

const order = (id: string) => ({ id, amount: 100 })

/** Interrupts consumers, their store and their connection. */
export const interruptionChecks: readonly ConsumerCheck[] = [
  {
    id: 'drain',
    title: 'a consumer that is drained finishes what it has, and leaves the rest to the next',
    run: async (bench) => {
      const { passed, open } = gate()
      bench.handle(() => passed)
      const first = await bench.start({ concurrency: 1 })
      await bench.publish(order('a'), order('b'), order('c'))
      await bench.until('the first runs', () => bench.runs.length === 1)
      const drained = first.drain()
      open()
      assert.deepEqual(await drained, { unfinished: 0 })
      await first.closed
      assert.equal(bench.runs.length, 1)
      await bench.start()
      await bench.acknowledged(3)
      assert.deepEqual(bench.runs.map(({ id }) => id).sort(), ['a', 'b', 'c'])
    },
  },
  {
    id: 'drain-timeout',
    title: 'a drain that has waited long enough says what is unfinished',
    run: async (bench) => {
      const { passed, open } = gate()
      bench.handle(() => passed)
      const consuming = await bench.start()
      await bench.publish(order('a'))
      await bench.until('it runs', () => bench.runs.length === 1)
      assert.deepEqual(await consuming.drain({ timeout: 100 }), { unfinished: 1 })
      open()
    },
  },
  {
    id: 'store-unavailable',
    title: 'while the store is away messages come back, and none is acknowledged',
    run: async (bench) => {
      let isAway = true
      const fail = async () => {
        throw new StoreUnavailableError('away', { applied: 'no' })
      }
      const on = bench.instanceOn((store) =>
        wrapStore(store, { begin: (...args) => (isAway ? fail() : store.begin(...args)) }),
      )
      await bench.start({ on })
      await bench.publish(order('a'))
      await bench.until('it came back twice', () => (countsOf(bench.verdicts).unavailable ?? 0) >= 2)
      assert.equal(bench.runs.length, 0)
      isAway = false
      await bench.acknowledged(1)
      assert.equal(bench.runs.length, 1)
    },
  },
  {
    id: 'unrecorded',
    title: 'a message is not acknowledged before it is recorded',
    run: async (bench) => {
      let isAway = true
      const on = bench.instanceOn((store) =>
        wrapStore(store, {
          async transition(key, token, change) {
            if (isAway && change.to === 'completed') throw new StoreUnavailableError('away', { applied: 'no' })
            return store.transition(key, token, change)
          },
        }),
      )
      await bench.start({ on })
      await bench.publish(order('a'))
      await bench.until('it could not be recorded', () => countsOf(bench.verdicts).unrecorded === 1)
      assert.equal(bench.verdicts.filter(({ action }) => action === 'ack').length, 0)
      isAway = false
      await bench.acknowledged(1)
    },
  },
  {
    id: 'heartbeat',
    title: 'a message that takes longer than the broker waits is not given to another consumer',
    needs: ['visibility'],
    run: async (bench) => {
      const { visibilityMs = 0 } = bench.harness
      bench.handle(() => sleep(visibilityMs * 2.5))
      await bench.start()
      await bench.start()
      await bench.publish(order('a'))
      await bench.acknowledged(1)
      assert.deepEqual(countsOf(bench.verdicts), { handled: 1 })
    },
  },
  {
    id: 'drain-retry',
    title: 'a message in its fourth try is one message to a drain',
    run: async (bench) => {
      const { passed, open } = gate()
      bench.handle((_, { attempt }) => {
        if (attempt.number < 4) throw new Error('not yet')
        return passed
      })
      const consuming = await bench.start()
      await bench.publish(order('a'))
      await bench.until('it runs for the fourth time', () => bench.runs.length === 4)
      assert.deepEqual(await consuming.drain({ timeout: 100 }), { unfinished: 1 })
      open()
    },
  },
  {
    id: 'hangs',
    title: 'a handler that hangs keeps its message no longer than `maxRun`',
    run: async (bench) => {
      const { passed, open } = gate()
      bench.handle((_, { attempt }) => (attempt.number === 1 ? passed : undefined))
      await bench.start({ lease: 500, maxRun: 600, concurrency: 1 })
      await bench.publish(order('a'))
      await bench.acknowledged(1)
      assert.deepEqual(
        bench.runs.map(({ attempt }) => attempt),
        [1, 2],
      )
      const { handled, 'timed-out': timedOut } = countsOf(bench.verdicts)
      assert.deepEqual({ handled, timedOut }, { handled: 1, timedOut: 1 })
      open()
    },
  },
  {
    id: 'hangs-always',
    title: 'a message whose handlers all hang is given up, and those behind it are handled',
    run: async (bench) => {
      const { passed, open } = gate()
      bench.handle(({ id }) => (id === 'a' ? passed : undefined))
      await bench.start({ lease: 500, maxRun: 600, concurrency: 1, maxAttempts: 2 })
      await bench.publish(order('a'), order('b'))
      const [letter] = await bench.letters(1)
      assert.equal(letter?.reason, 'max-attempts')
      await bench.until('b is handled', () => countsOf(bench.verdicts).handled === 1)
      open()
    },
  },
  {
    id: 'cut',
    title: 'a message whose consumer is cut off in the middle is handled once all the same',
    needs: ['cuts'],
    run: async (bench) => {
      const { passed, open } = gate()
      bench.handle(() => passed)
      await bench.start()
      await bench.publish(order('a'))
      await bench.until('it runs', () => bench.runs.length === 1)
      await bench.queue.cut?.()
      await bench.start()
      await bench.until('it was delivered again', () => 'in-progress' in countsOf(bench.verdicts))
      open()
      await bench.until('it is a duplicate', () => countsOf(bench.verdicts).duplicate === 1)
      assert.equal(bench.runs.length, 1)
    },
  },
]
