/** Lanes: a property over any calls and any fate of what is sent, against the promises that each call was given. */
import { AsyncLocalStorage } from 'node:async_hooks'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isIdempotencyError, StoreUnavailableError } from '../src/errors.ts'
import { answered } from '../src/store/answered.ts'
import { createLanes } from '../src/store/connections/lanes.ts'
import { onVirtualTime } from './testbed.ts'

const { advance } = onVirtualTime()

const KIB = 1024
const MAX_BYTES = 256 * KIB
const TIMEOUT_MS = 100
const HOLD_MS = 50

interface Job {
  readonly atMs: number
  readonly takesMs: number
  readonly size: number
  /** The fate of the call: a reply, an error of its own, or that a batch leaves it out. */
  readonly fate: 'replies' | 'fails' | 'left-out'
}
/** The fate of a batch: `lost` took effect, `unsent` did not, and its sender cannot tell which. */
type Fate = 'answers' | 'refused' | 'lost' | 'unsent'

interface Call extends Job {
  readonly id: number
  sent: number
  applied: number
  batched: boolean
  /** The number of times that it was sent, and its sender was told that nothing had happened. */
  undone: number
}

const jobs = fc.array(
  fc.record<Job>({
    atMs: fc.nat(60),
    takesMs: fc.oneof({ weight: 9, arbitrary: fc.nat(20) }, { weight: 1, arbitrary: fc.constant(150) }),
    size: fc.oneof(fc.constant(100), fc.constant(100 * KIB), fc.constant(300 * KIB)),
    fate: fc.oneof(
      { weight: 8, arbitrary: fc.constant('replies' as const) },
      fc.constantFrom('fails' as const, 'left-out' as const),
    ),
  }),
  { maxLength: 60 },
)
const fates = fc.array(fc.constantFrom<Fate>('answers', 'answers', 'refused', 'lost', 'unsent'), { maxLength: 20 })

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))

describe('lanes', () => {
  test('each call has its own answer, took effect once, and no batch forms while a lane is free', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 3 }), jobs, fates, async (lanes, list, batchFates) => {
        const left = [...batchFates]
        const order: number[] = []
        let inLanes = 0
        let crowded = 0
        /** Calls in lanes, or out of them for so short a time that the lane may not know it yet. */
        let lately = 0

        const send = createLanes<Call, number>({
          lanes,
          timeoutMs: TIMEOUT_MS,
          sizeOf: ({ size }) => size,
          isRefused: (error) => String(error).includes('refused'),
          async one(call) {
            if (call.sent === 0 && call.size <= MAX_BYTES) enter(call.takesMs, call)
            call.sent++
            await pause(call.takesMs)
            if (call.fate === 'fails') throw new Error(`failed ${call.id}`)
            call.applied++
            return call.id
          },
          async many(calls) {
            const takesMs = Math.max(...calls.map((call) => call.takesMs))
            enter(takesMs, ...calls)
            expect(calls.length).toBeGreaterThan(1)
            expect(calls.reduce((sum, { size }) => sum + size, 0)).toBeLessThanOrEqual(MAX_BYTES)
            for (const call of calls) {
              call.sent++
              call.batched = true
            }
            await pause(takesMs)
            const fate = left.shift() ?? 'answers'
            const decided = calls.filter((call) => call.fate === 'replies')
            const refused = fate === 'refused' || calls.some((call) => call.fate === 'fails')
            if (refused) for (const call of calls) call.undone++
            if (refused) throw new Error('refused')
            if (fate !== 'unsent') for (const call of decided) call.applied++
            if (fate !== 'answers') throw new Error('unknown')
            for (const call of calls) if (call.fate === 'left-out') call.undone++
            return calls.map((call) => (decided.includes(call) ? call.id : undefined))
          },
        })
        function enter(takesMs: number, ...calls: Call[]) {
          inLanes++
          // before the lane learns it
          setTimeout(() => inLanes--, Math.min(takesMs, HOLD_MS))
          lately++
          setTimeout(() => lately--, Math.min(takesMs, HOLD_MS) + 3)
          crowded = Math.max(crowded, inLanes)
          order.push(...calls.map(({ id }) => id))
        }

        const calls = list
          .toSorted((one, other) => one.atMs - other.atMs)
          .map((job, id): Call => ({ ...job, id, sent: 0, applied: 0, batched: false, undone: 0 }))
        const answers = calls.map(async (call) => {
          await pause(call.atMs)
          const [wasFree, wasFull] = [lately < lanes, inLanes >= lanes]
          const answer = send(call)
          if (wasFree || call.size > MAX_BYTES) expect(call.sent).toBe(1)
          else if (wasFull) expect(call.sent).toBe(0)
          return answer.catch((error: Error) => error.message)
        })
        await advance(60_000)
        const settled = await Promise.all(answers)

        expect(crowded).toBeLessThanOrEqual(lanes)
        expect(order).toEqual(order.toSorted((one, other) => one - other))
        for (const [index, call] of calls.entries()) {
          const answer = settled[index]
          if (answer === call.id) expect(call.applied).toBe(1)
          else if (answer === 'unknown') expect([call.batched, call.sent - call.undone]).toEqual([true, 1])
          else if (answer === `failed ${call.id}`) expect([call.fate, call.applied]).toEqual(['fails', 0])
          else expect([answer, call.sent]).toEqual([`Calls before this one took longer than ${TIMEOUT_MS} ms.`, 0])
          // nothing is sent again that may have taken effect
          expect(call.sent - call.undone).toBeLessThanOrEqual(1)
        }
      }),
    )
  })

  test('a lone call is sent in the same tick, one after another as well', async () => {
    let sent = 0
    const send = createLanes<number, number>({
      one: async (call) => {
        sent++
        return call
      },
      many: () => Promise.reject(new Error('nobody else calls')),
      isRefused: () => false,
      sizeOf: () => 1,
      timeoutMs: TIMEOUT_MS,
      lanes: 1,
    })
    for (const call of [1, 2, 3]) {
      const answer = send(call)
      expect(sent).toBe(call)
      expect(await answer).toBe(call)
      await advance(0)
    }
  })

  describe('of a driver that answers at once', () => {
    /** Lanes whose turns and ends of microtasks come when a test says so. */
    function answering() {
      const sent: (number | readonly number[])[] = []
      const turns: (() => void)[] = []
      const ends: (() => void)[] = []
      const all = async (callbacks: (() => void)[]) => {
        for (const callback of callbacks.splice(0)) callback()
        await advance(0)
      }
      const send = createLanes<number, number>({
        one: (call) =>
          answered(() => {
            sent.push(call)
            return call
          }),
        many: async (calls) => {
          sent.push(calls)
          return calls
        },
        isRefused: () => false,
        sizeOf: () => 1,
        timeoutMs: TIMEOUT_MS,
        lanes: 1,
        rest: {
          turn: () => new Promise((resolve) => turns.push(resolve)),
          afterMicrotasks: (callback) => ends.push(callback),
        },
      })
      return { send, sent, turn: () => all(turns), endMicrotasks: () => all(ends) }
    }

    test('a caller that sends each call after the answer to the last waits for no turn, for 5 ms', async () => {
      const { send, sent, turn } = answering()
      for (const call of [1, 2, 3, 4]) expect(await send(call)).toBe(call)
      expect(sent).toEqual([1, 2, 3, 4])
      await advance(5)
      expect(await send(5)).toBe(5)
      const late = send(6)
      await advance(5)
      expect(sent).toEqual([1, 2, 3, 4, 5])
      await turn()
      expect(await late).toBe(6)
      // it waited alone, so that nobody else is there
      expect(await send(7)).toBe(7)
    })

    test('calls that are made together take two batches, the first of which is the first call', async () => {
      const { send, sent, turn } = answering()
      const answers = Promise.all([1, 2, 3].map(send))
      await advance(0)
      const late = send(4)
      await turn()
      expect([await answers, await late]).toEqual([[1, 2, 3], 4])
      expect(sent).toEqual([1, [2, 3, 4]])
    })

    test('calls of other callbacks in the same turn go together', async () => {
      const { send, sent, turn, endMicrotasks } = answering()
      await send(1)
      await endMicrotasks()
      const answers: Promise<number>[] = []
      for (const call of [2, 3, 4]) {
        answers.push(send(call))
        await endMicrotasks()
      }
      await turn()
      expect(await Promise.all(answers)).toEqual([2, 3, 4])
      expect(sent).toEqual([1, [2, 3, 4]])
    })
  })

  test('what arrives while both lanes are in use goes together, at most 128 at a time', async () => {
    const batches: number[] = []
    const send = createLanes<number, number>({
      one: async (call) => {
        await pause(10)
        return call
      },
      many: async (calls) => {
        batches.push(calls.length)
        await pause(10)
        return calls
      },
      isRefused: () => false,
      sizeOf: () => 1,
      timeoutMs: TIMEOUT_MS,
    })
    const calls = Array.from({ length: 300 }, (_, index) => index)
    const answers = Promise.all(calls.map(send))
    await advance(1_000)
    expect(await answers).toEqual(calls)
    expect(batches).toEqual([128, 128, 42])
  })

  test('a call is sent in the async context of its caller, and a batch in that of its first call', async () => {
    const context = new AsyncLocalStorage<number>()
    const alone: [number, number | undefined][] = []
    const batches: [readonly number[], number | undefined][] = []
    const send = createLanes<number, number>({
      one: async (call) => {
        alone.push([call, context.getStore()])
        await pause(10)
        return call
      },
      many: async (calls) => {
        batches.push([calls, context.getStore()])
        await pause(10)
        // the replies to the first and the last are left out
        return calls.map((call, index) => (index % (calls.length - 1) ? call : undefined))
      },
      isRefused: () => false,
      sizeOf: () => 1,
      timeoutMs: TIMEOUT_MS,
      lanes: 1,
    })
    const calls = [1, 2, 3, 4, 5]
    const answers = Promise.all(calls.map((call) => context.run(call, () => send(call))))
    await advance(15)
    const late = context.run(6, () => send(6))
    await advance(100)
    expect([...(await answers), await late]).toEqual([...calls, 6])
    expect(batches).toEqual([[[2, 3, 4, 5], 2]])
    expect(alone).toEqual([1, 2, 5, 6].map((call) => [call, call]))
  })

  test('calls of a batch whose outcome is unknown have an error each, of the same kind', async () => {
    const cause = new Error('socket hang up')
    const thrown = new StoreUnavailableError('PostgreSQL: socket hang up.', { applied: 'unknown', cause })
    const send = createLanes<number, number>({
      one: async (call) => call,
      many: () => Promise.reject(thrown),
      isRefused: () => false,
      sizeOf: () => 1,
      timeoutMs: TIMEOUT_MS,
      lanes: 1,
    })
    const answers = Promise.all([1, 2, 3, 4].map((call) => send(call).catch((error: unknown) => error)))
    await advance(10)
    const errors = (await answers).slice(1)
    expect(new Set(errors).size).toBe(3)
    for (const error of errors) {
      expect(isIdempotencyError(error, 'IDEMPOTENCY_STORE_UNAVAILABLE')).toBe(true)
      expect(error).toBeInstanceOf(StoreUnavailableError)
      expect(error).toStrictEqual(thrown)
      expect(error).toHaveProperty('cause', cause)
    }
  })
})
