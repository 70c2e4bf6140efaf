/** A transaction in mode `single`: its time, and a result that is recorded after the rollback. */
import { memoryStore } from '@retryproof/memory'
import { expect, test, vi } from 'vitest'
import { notStarted, terminal } from '../src/index.ts'
import type { IdempotencyStore } from '../src/store.ts'
import { charge, onVirtualTime, testbed } from './testbed.ts'

const { advance } = onVirtualTime()

type Undo = () => Promise<unknown>

/** A memory store with transactions: one that fails takes back what it began. */
function transactional(): IdempotencyStore {
  const store = memoryStore({ now: () => Date.now() })
  return {
    ...store,
    capabilities: { ...store.capabilities, transactional: 'async' },
    bind: (undo: Undo[]) => ({
      ...store,
      async begin(key, claim) {
        const reply = await store.begin(key, claim)
        undo.push(() => store.transition(key, reply.token, { to: 'released', delayMs: 0, retentionMs: 60_000 }))
        return reply
      },
    }),
    async transaction(work) {
      const undo: Undo[] = []
      try {
        return await work(undo as never)
      } catch (error) {
        for (const step of undo) await step()
        throw error
      }
    },
  }
}

const wait = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))

test('`durationMs` covers the work', async () => {
  const bed = testbed({ records: transactional() })
  const work = async () => {
    await wait(500)
    return 'paid'
  }
  const outcome = bed.idempotency.transaction(charge, work, { mode: 'single' })
  await advance(500)
  expect(await outcome).toMatchObject({ value: 'paid', recorded: true })
  expect(bed.events('completed')[0]?.durationMs).toBeGreaterThanOrEqual(500)
})

test('`drain` waits for a failure that is still being recorded after its caller was answered', async () => {
  const bed = testbed({ records: transactional(), settleTimeout: '1s' })
  bed.store.fate = ({ name }) => (name === 'failed' ? 'refused' : 'done')
  const work = async () => {
    await wait(500)
    throw new Error('declined')
  }
  const outcome = bed.idempotency.transaction(charge, work, { mode: 'single', onFailure: () => 'store' })
  outcome.catch(() => undefined)
  await advance(1500)
  await expect(outcome).rejects.toThrow('declined')

  let isOver = false
  const drained = bed.idempotency.drain({ timeout: '60s' }).then((left) => {
    isOver = true
    return left
  })
  await advance(5000)
  expect(isOver).toBe(false)
  bed.store.fate = () => 'done'
  await advance(5000)
  await advance(0)
  expect(await drained).toEqual({ unfinished: 0 })
  expect(bed.events('failed')[0]?.durationMs).toBeGreaterThanOrEqual(500)
  await expect(bed.idempotency.run(charge, vi.fn())).rejects.toThrow('declined')
  expect(vi.getTimerCount()).toBe(0)
})

test.each(['single', 'fenced'] as const)('a failure is told as the error that the work threw: %s', async (mode) => {
  const bed = testbed({ records: transactional() })
  for (const [tell, isStored] of [
    [notStarted, false],
    [terminal, true],
  ] as const) {
    const error = new Error('declined')
    const key = tell.name
    const run = vi.fn(async () => {
      throw tell(error)
    })
    await expect(bed.idempotency.transaction({ ...charge, key }, run, { mode })).rejects.toBe(error)
    await expect(bed.idempotency.transaction({ ...charge, key }, run, { mode })).rejects.toThrow('declined')
    expect([mode, key, run.mock.calls.length]).toEqual([mode, key, isStored ? 1 : 2])
  }
})
