import { AsyncLocalStorage } from 'node:async_hooks'
import fc from 'fast-check'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { type Timed, TimerQueue } from '../src/base/timer-queue.ts'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.unstubAllGlobals()
  vi.useRealTimers()
})

/** Takes the fake timers for those of the runtime itself: without the note by which a clock of tests is known. */
function ownTimers() {
  const fake = setTimeout
  const start = vi.fn((...given: Parameters<typeof setTimeout>) => fake(...given))
  vi.stubGlobal('setTimeout', start)
  return start
}

/** Loads the module anew, as in a process that has other globals. */
async function loadAnew(): Promise<TimerQueue> {
  vi.resetModules()
  const loaded = await import('../src/base/timer-queue.ts')
  return loaded.createTimers()
}

function timed(onTime: () => void, isBackground = false): Timed {
  return { dueAt: 0, place: -1, isBackground, onTime }
}

test('each comes in its time, in order, unless it was stopped, whatever is started and stopped between', () => {
  const steps = fc.array(
    fc.record({ id: fc.nat(9), ms: fc.nat(50), stop: fc.boolean(), isBackground: fc.boolean(), pass: fc.nat(20) }),
    { maxLength: 40 },
  )
  fc.assert(
    fc.property(steps, (taken) => {
      const queue = new TimerQueue()
      const came: { id: number; at: number }[] = []
      const expected = new Map<number, number>()
      const all = Array.from({ length: 10 }, (_, id) =>
        timed(() => came.push({ id, at: performance.now() }), id % 2 === 0),
      )
      for (const { id, ms, stop, pass } of taken) {
        const each = all[id] as Timed
        if (stop) {
          queue.stop(each)
          expected.delete(id)
        } else {
          queue.start(each, ms)
          expected.set(id, performance.now() + ms)
        }
        const until = performance.now() + pass
        const due = [...expected].filter(([, at]) => at <= until).sort(([, one], [, other]) => one - other)
        came.length = 0
        vi.advanceTimersByTime(pass)
        expect(came.map(({ at }) => at)).toEqual(due.map(([, at]) => at))
        expect(new Set(came.map((each) => each.id))).toEqual(new Set(due.map(([each]) => each)))
        for (const [each] of due) expected.delete(each)
      }
      for (const each of all) queue.stop(each)
      came.length = 0
      vi.runAllTimers()
      expect(came).toEqual([])
      expect(vi.getTimerCount()).toBe(0)
    }),
  )
})

test('one timer of the runtime serves them all, and those that follow before it is due', async () => {
  const start = ownTimers()
  const queue = await loadAnew()
  const all = Array.from({ length: 100 }, () => timed(() => {}))
  for (const turn of [0, 1, 2]) {
    for (const [index, each] of all.entries()) queue.start(each, 1000 + turn + index)
    expect(vi.getTimerCount()).toBe(1)
    for (const each of all) queue.stop(each)
  }
  expect(start).toHaveBeenCalledOnce()
  vi.advanceTimersByTime(1000)
  expect(vi.getTimerCount()).toBe(0)
})

test('no timer is left when nothing waits, where timers are numbers', async () => {
  const fake = setTimeout
  vi.stubGlobal('setTimeout', (...given: Parameters<typeof setTimeout>) => Number(fake(...given)))
  const queue = await loadAnew()
  const each = timed(() => {})
  queue.start(each, 1000)
  queue.stop(each)
  expect(vi.getTimerCount()).toBe(0)
})

test.each([
  ['end with their request', 'Cloudflare-Workers'],
  ['make a test fail that leaves one', 'Deno/2.9.6'],
])('no timer is left when nothing waits, where timers %s', async (_, userAgent) => {
  const start = ownTimers()
  vi.stubGlobal('navigator', { userAgent })
  const queue = await loadAnew()
  for (const isBackground of [false, true]) {
    const each = timed(() => {}, isBackground)
    queue.start(each, 1000)
    queue.stop(each)
    expect(vi.getTimerCount()).toBe(0)
  }
  expect(start).toHaveBeenCalledTimes(2)
})

test('each has a timer of its own, where timers end with the request that made them', async () => {
  vi.stubGlobal('navigator', { userAgent: 'Cloudflare-Workers' })
  const queue = await loadAnew()
  const onTime = vi.fn()
  const [one, other] = [timed(() => {}), timed(onTime)]
  queue.start(one, 1000)
  queue.start(other, 2000)
  expect(vi.getTimerCount()).toBe(2)
  queue.stop(one)
  expect(vi.getTimerCount()).toBe(1)
  queue.start(other, 500)
  vi.advanceTimersByTime(500)
  expect(onTime).toHaveBeenCalledOnce()
  expect(vi.getTimerCount()).toBe(0)
})

test.each([
  ['after', async () => new TimerQueue()],
  ['before', loadAnew],
])('no timer is left when nothing waits, on a clock of tests that came %s the module', async (_, load) => {
  const queue = await load()
  const onTime = vi.fn()
  const each = timed(onTime)
  queue.start(each, 1000)
  queue.stop(each)
  expect(vi.getTimerCount()).toBe(0)
  queue.start(each, 1000)
  queue.stop(each)
  vi.clearAllTimers()
  queue.start(each, 1000)
  vi.advanceTimersByTime(1000)
  expect(onTime).toHaveBeenCalledOnce()
})

test('a timer comes in the async context of no call', async () => {
  vi.useRealTimers()
  const context = new AsyncLocalStorage<string>()
  const queue = new TimerQueue()
  const seen = new Promise((resolve) => {
    const each = timed(() => resolve(context.getStore()))
    context.run('of a call', () => queue.start(each, 1))
  })
  expect(await seen).toBeUndefined()
})

test('what is left of one clock serves no other', () => {
  const queue = new TimerQueue()
  const onTime = vi.fn()
  const each = timed(onTime)
  queue.start(each, 1000)
  queue.stop(each)
  vi.useRealTimers()
  vi.useFakeTimers()
  queue.start(each, 1000)
  vi.advanceTimersByTime(1000)
  expect(onTime).toHaveBeenCalledOnce()
})

test('one that starts another, or stops one that is due too, is obeyed', () => {
  const queue = new TimerQueue()
  const came: string[] = []
  const stopped = timed(() => came.push('stopped'))
  const next = timed(() => came.push('next'))
  queue.start(
    timed(() => {
      came.push('first')
      queue.stop(stopped)
      queue.start(next, 5)
    }),
    10,
  )
  queue.start(stopped, 10)
  vi.advanceTimersByTime(14)
  expect(came).toEqual(['first'])
  vi.advanceTimersByTime(1)
  expect(came).toEqual(['first', 'next'])
})

test('waits beyond the longest timer of the runtime', () => {
  const queue = new TimerQueue()
  const onTime = vi.fn()
  queue.start(timed(onTime), 2 ** 31 + 5)
  vi.advanceTimersByTime(2 ** 31)
  expect(onTime).not.toHaveBeenCalled()
  vi.advanceTimersByTime(5)
  expect(onTime).toHaveBeenCalledOnce()
})

test('a timer that died with a test’s clock holds up nothing that starts later', () => {
  const queue = new TimerQueue()
  queue.start(
    timed(() => {}),
    5,
  )
  vi.clearAllTimers()
  vi.setSystemTime(Date.now() + 5000)
  const realNow = performance.now()
  vi.spyOn(performance, 'now').mockImplementation(() => realNow + 5000)
  const onTime = vi.fn()
  queue.start(timed(onTime), 100)
  vi.mocked(performance.now).mockRestore()
  expect(vi.getTimerCount()).toBe(1)
})

test('only what waits in the foreground keeps the process alive', async () => {
  const start = ownTimers()
  const queue = await loadAnew()
  const background = timed(() => {}, true)
  const foreground = timed(() => {})
  const isRefed = () => {
    const timer: unknown = start.mock.results.at(-1)?.value
    return (timer as NodeJS.Timeout).hasRef()
  }
  queue.start(background, 1000)
  expect(isRefed()).toBe(false)
  queue.start(foreground, 2000)
  expect(isRefed()).toBe(true)
  queue.stop(foreground)
  expect(isRefed()).toBe(false)
  queue.start(foreground, 2000)
  queue.stop(background)
  expect(isRefed()).toBe(true)
  queue.stop(foreground)
  expect(isRefed()).toBe(false)
})

test('a time that is no number is over at once, and holds up nothing', () => {
  const queue = new TimerQueue()
  const came: string[] = []
  queue.start(
    timed(() => came.push('later')),
    100,
  )
  queue.start(
    timed(() => came.push('NaN')),
    Number.NaN,
  )
  queue.start(
    timed(() => came.push('latest')),
    200,
  )
  vi.advanceTimersByTime(1)
  expect(came).toEqual(['NaN'])
  vi.advanceTimersByTime(200)
  expect(came).toEqual(['NaN', 'later', 'latest'])
})

test('what is overdue after the event loop was blocked asks for no time below zero, of which Node would warn', () => {
  const start = vi.spyOn(globalThis, 'setTimeout')
  const queue = new TimerQueue()
  const came: string[] = []
  queue.start(
    timed(() => came.push('overdue')),
    5,
  )
  const fakeNow = performance.now()
  vi.spyOn(performance, 'now').mockImplementation(() => fakeNow + 5000)
  queue.start(
    timed(() => came.push('next')),
    0,
  )
  expect(start.mock.calls.map(([, ms]) => ms)).toEqual([5, 0])
  vi.advanceTimersByTime(1)
  expect(came).toEqual(['overdue', 'next'])
})

test('one that throws holds up no other', () => {
  const queue = new TimerQueue()
  const came: string[] = []
  const broken = timed(() => {
    throw new Error('broken')
  })
  queue.start(broken, 10)
  queue.start(
    timed(() => came.push('at once')),
    10,
  )
  queue.start(
    timed(() => came.push('later')),
    50,
  )
  expect(() => vi.advanceTimersByTime(10)).toThrow('broken')
  vi.advanceTimersByTime(50)
  expect(came).toEqual(['at once', 'later'])
  expect(vi.getTimerCount()).toBe(0)
})
