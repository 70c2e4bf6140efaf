/** The lease while a handler runs: renewed, watched on both clocks, and given up in time. */
import { AsyncLocalStorage } from 'node:async_hooks'
import { memoryStore } from '@retryproof/memory'
import { describe, expect, test, vi } from 'vitest'
import { lapse } from '../src/engine/mechanisms/lease.ts'
import { IdempotencyLeaseLostError } from '../src/errors.ts'
import { gate } from './interposed-store.ts'
import { charge, hold, onVirtualTime, testbed, twoProcesses } from './testbed.ts'

const { advance } = onVirtualTime()

const renewals = (bed: ReturnType<typeof testbed>) => bed.store.calls.filter((call) => call.name === 'renew')

describe('the heartbeat', () => {
  test('renews each third of the lease, for as long as the handler runs', async () => {
    const bed = testbed({ lease: '30s' })
    const held = await hold(bed)
    await advance(9999)
    expect(renewals(bed)).toHaveLength(0)
    await advance(1)
    expect(renewals(bed)).toMatchObject([{ token: held.attempt.token, change: { to: 'renew', leaseMs: 30_000 } }])
    await advance(80_000)
    expect(renewals(bed)).toHaveLength(9)
    expect(bed.events('renewed')).toHaveLength(9)
    expect(held.attempt.signal.aborted).toBe(false)

    held.finish('paid')
    expect(await held.outcome).toMatchObject({ recorded: true })
    expect(vi.getTimerCount()).toBe(0)
  })

  test('renews, and tells of a loss, in the async context of its call', async () => {
    const context = new AsyncLocalStorage<string>()
    const seen: unknown[] = []
    const bed = testbed({ lease: '30s', maxRun: '40s' })
    bed.store.fate = ({ name }) => {
      if (name === 'renew') seen.push(name, context.getStore())
      return 'done'
    }
    const held = await context.run('of this call', () => hold(bed))
    held.attempt.signal.addEventListener('abort', () => seen.push('abort', context.getStore()))
    await context.run('of another', () => advance(10_000))
    expect(seen).toEqual(['renew', 'of this call'])
    seen.length = 0
    await context.run('of another', () => advance(30_000))
    expect(seen.slice(-2)).toEqual(['abort', 'of this call'])
    held.finish('paid')
    await held.outcome
  })

  test('keeps others away, however long the handler runs', async () => {
    const [holder, other] = twoProcesses({ lease: '3s' })
    const held = await hold(holder)
    for (let second = 0; second < 60; second++) {
      await advance(1000)
      await expect(other.idempotency.run(charge, vi.fn())).rejects.toMatchObject({ code: 'IDEMPOTENCY_IN_PROGRESS' })
    }
    held.finish('paid')
    expect(await held.outcome).toMatchObject({ value: 'paid', attempt: 1 })
  })

  test('begins at a third of what is left, where the lease was not whole', async () => {
    const bed = testbed({ lease: '30s' })
    bed.store.next('begin', 'reply lost')
    // the first begin took, and its repeat is told of a lease that is 12 s old
    vi.spyOn(Math, 'random').mockReturnValue(1)
    const begin = bed.store.begin
    let begun = 0
    vi.spyOn(bed.store, 'begin').mockImplementation(async (key, claim) => {
      const reply = await begin(key, claim)
      begun++
      return { ...reply, leaseRemainingMs: reply.leaseRemainingMs - 12_000 }
    })
    const held = hold(bed)
    await advance(100)
    expect(begun).toBe(1)
    await held
    await advance(5800)
    expect(renewals(bed)).toHaveLength(0)
    await advance(300)
    expect(renewals(bed)).toHaveLength(1)
  })

  test('asks for more retention only when half of it is gone', async () => {
    const bed = testbed({ lease: '30s', retention: '2m', maxRun: '1h' })
    const held = await hold(bed)
    await advance(60_000)
    const asked = () => renewals(bed).map((call) => (call.change?.to === 'renew' ? call.change.retentionMs : undefined))
    expect(asked()).toEqual([undefined, undefined, undefined, undefined, undefined, undefined])
    await advance(10_000)
    expect(asked().slice(6)).toEqual([120_000])
    await advance(60_000)
    expect(asked().slice(7)).toEqual([undefined, undefined, undefined, undefined, undefined, undefined])
    held.finish('paid')
    await held.outcome
  })

  test('keeps at least half of the retention past the lease, at every moment', async () => {
    const bed = testbed({ lease: '10s', retention: '20s', maxRun: '1h' })
    const held = await hold(bed)
    for (let step = 0; step < 200; step++) {
      await advance(777)
      const seen = await bed.idempotency.inspect(charge)
      expect((seen?.retentionRemainingMs ?? 0) - (seen?.leaseRemainingMs ?? 0)).toBeGreaterThanOrEqual(10_000 - 3334)
    }
    held.finish('paid')
    await held.outcome
  })

  test('tries again soon when the store fails, and goes on when it is back', async () => {
    const bed = testbed({ lease: '30s' })
    const held = await hold(bed)
    bed.store.next('renew', 'refused', 'reply lost', 'driver error')
    await advance(13_000)
    expect(renewals(bed)).toHaveLength(4)
    expect(bed.events('storeUnavailable')).toHaveLength(3)
    expect(bed.events('renewed')).toHaveLength(1)
    await advance(30_000)
    expect(held.attempt.signal.aborted).toBe(false)
  })

  test('does not keep a process alive', async () => {
    vi.useRealTimers()
    const timers: NodeJS.Timeout[] = []
    const original = globalThis.setTimeout
    vi.spyOn(globalThis, 'setTimeout').mockImplementation(((callback: () => void, ms?: number) => {
      const timer = original(callback, ms)
      timers.push(timer)
      return timer
    }) as typeof setTimeout)
    const bed = testbed({ records: memoryStore() })
    const held = await hold(bed)
    expect(timers.filter((timer) => timer.hasRef() && !(timer as { _destroyed?: boolean })._destroyed)).toEqual([])
    held.finish('paid')
    await held.outcome
  })
})

describe('the deadline', () => {
  test('C-09 the signal aborts when the store cannot be reached for a lease, counted from before the begin was sent', async () => {
    const bed = testbed({ lease: '30s' })
    bed.store.next('begin', { after: new Promise((resolve) => setTimeout(resolve, 4000)) })
    const holding = hold(bed)
    await advance(4000)
    const held = await holding
    bed.store.fate = () => 'refused'
    await advance(25_998)
    expect(held.attempt.signal.aborted).toBe(false)
    await advance(1)
    expect(held.attempt.signal.aborted).toBe(true)
    expect(held.attempt.signal.reason).toBeInstanceOf(IdempotencyLeaseLostError)
    expect(held.attempt.signal.reason).toMatchObject({
      code: 'IDEMPOTENCY_LEASE_LOST',
      message: 'The lease is over, and could not be renewed in time.',
    })
    expect(bed.events('leaseLost')).toHaveLength(1)
  })

  test('after a renewal it counts from before that was sent', async () => {
    const bed = testbed({ lease: '30s' })
    const held = await hold(bed)
    bed.store.next('renew', { after: new Promise((resolve) => setTimeout(resolve, 14_000)) })
    await advance(14_000)
    expect(bed.events('renewed')).toHaveLength(1)
    bed.store.fate = () => 'refused'
    await advance(25_999)
    expect(held.attempt.signal.aborted).toBe(false)
    await advance(1)
    expect(held.attempt.signal.aborted).toBe(true)
  })

  test('the signal aborts before the store would let another in', async () => {
    const [holder, other] = twoProcesses({ lease: '5s' })
    const held = await hold(holder)
    let abortedAt = 0
    held.attempt.signal.addEventListener('abort', () => {
      abortedAt = performance.now()
    })
    holder.store.fate = () => 'never done'
    for (;;) {
      const outcome = await other.idempotency.run(charge, () => performance.now()).catch(() => undefined)
      if (outcome) {
        expect(abortedAt).toBeGreaterThan(0)
        expect(abortedAt).toBeLessThanOrEqual(outcome.value)
        return
      }
      await advance(1)
    }
  })

  test('by the wall clock alone: a machine that slept finds out within a second of waking', async () => {
    // the monotonic clock and timers stand still while a machine sleeps, the wall clock and the store go on
    const bed = testbed({ lease: '90s' })
    const held = await hold(bed)
    await advance(1000)
    vi.setSystemTime(Date.now() + 90_000)
    expect(held.attempt.signal.aborted).toBe(false)
    await advance(1000)
    expect(held.attempt.signal.aborted).toBe(true)
    expect(renewals(bed)).toHaveLength(0)
  })

  test('by the monotonic clock alone: a wall clock that is set back prolongs nothing', async () => {
    const monotonicMs = () => performance.now()
    const bed = testbed({ lease: '30s', records: memoryStore({ now: monotonicMs }) })
    const held = await hold(bed)
    bed.store.fate = () => 'refused'
    vi.setSystemTime(Date.now() - 3_600_000)
    await advance(29_999)
    expect(held.attempt.signal.aborted).toBe(true)
  })

  test('a wall clock that is set forward less than what is left aborts nothing', async () => {
    const bed = testbed({ lease: '30s', records: memoryStore({ now: () => performance.now() }) })
    const held = await hold(bed)
    vi.setSystemTime(Date.now() + 15_000)
    await advance(60_000)
    expect(held.attempt.signal.aborted).toBe(false)
    expect(renewals(bed).length).toBeGreaterThan(5)
  })

  test('an attempt that was paused past its lease does not renew it when it wakes', async () => {
    const [paused, other] = twoProcesses({ lease: '30s' })
    const held = await hold(paused)
    // all timers of the paused process are late, as after SIGSTOP
    vi.setSystemTime(Date.now() + 31_000)
    vi.spyOn(performance, 'now').mockReturnValue(performance.now() + 31_000)
    expect(await other.idempotency.run(charge, () => 'theirs')).toMatchObject({ attempt: 2 })
    await advance(30_000)
    expect(renewals(paused)).toHaveLength(0)
    expect(held.attempt.signal.aborted).toBe(true)
  })

  test('a lease of 90 days is no timer that fires at once', async () => {
    const bed = testbed({ lease: '90d', maxRun: '365d', retention: '90d' })
    const held = await hold(bed)
    await advance(29 * 86_400_000)
    expect(held.attempt.signal.aborted).toBe(false)
    expect(renewals(bed)).toHaveLength(0)
    await advance(86_400_000)
    expect(renewals(bed)).toHaveLength(1)
    held.finish('paid')
    expect(await held.outcome).toMatchObject({ recorded: true })
  })
})

describe('a lease that is lost', () => {
  test('the signal aborts as soon as a renewal says so, and says it once', async () => {
    const [holder, other] = twoProcesses({ lease: '9s' })
    const held = await hold(holder)
    await other.idempotency.forget(charge)
    await advance(2999)
    expect(held.attempt.signal.aborted).toBe(false)
    await advance(1)
    expect(held.attempt.signal.aborted).toBe(true)
    expect(held.attempt.signal.reason).toMatchObject({ message: 'Another attempt holds the key.' })
    held.finish('paid')
    expect(await held.outcome).toMatchObject({ value: 'paid', recorded: false })
    expect(holder.events('leaseLost')).toHaveLength(1)
    expect(vi.getTimerCount()).toBe(0)
  })

  test('a renewal that hangs is given up while there is time for another', async () => {
    const bed = testbed({ lease: '3s', storeTimeout: '1h' })
    const held = await hold(bed)
    bed.store.next('renew', 'never done')
    await advance(2500)
    expect(bed.events('renewed')).toHaveLength(1)
    await advance(60_000)
    expect(held.attempt.signal.aborted).toBe(false)
  })

  test('and where all of them hang, at the deadline', async () => {
    const bed = testbed({ lease: '3s', storeTimeout: '1h' })
    const held = await hold(bed)
    bed.store.fate = () => 'never done'
    await advance(2999)
    expect(held.attempt.signal.aborted).toBe(true)
  })
})

describe('maxRun', () => {
  test('ends the renewal and aborts the signal, so that a handler that hangs does not hold its key for ever', async () => {
    const [hanging, other] = twoProcesses({ lease: '30s', maxRun: '2m' })
    const held = await hold(hanging)
    await advance(119_999)
    expect(held.attempt.signal.aborted).toBe(false)
    await advance(1)
    expect(held.attempt.signal.aborted).toBe(true)
    expect(held.attempt.signal.reason).toMatchObject({
      code: 'IDEMPOTENCY_LEASE_LOST',
      message: expect.stringContaining('maxRun'),
    })
    const count = renewals(hanging).length
    await advance(30_000)
    expect(renewals(hanging)).toHaveLength(count)
    expect(await other.idempotency.run(charge, ({ interrupted }) => interrupted)).toMatchObject({ value: true })
  })

  test('a handler that comes to an end afterwards is recorded, if nobody took over', async () => {
    const bed = testbed({ lease: '30s', maxRun: '2m' })
    const held = await hold(bed)
    await advance(130_000)
    held.finish('late')
    expect(await held.outcome).toMatchObject({ value: 'late', recorded: true })
  })
})

test('a listener that throws does not stop the heartbeat', async () => {
  vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
  const bed = testbed({ lease: '3s' })
  bed.idempotency.on('renewed', () => {
    throw new Error('broken listener')
  })
  const held = await hold(bed)
  await advance(60_000)
  expect(held.attempt.signal.aborted).toBe(false)
  held.finish('paid')
  expect(await held.outcome).toMatchObject({ recorded: true })
})

test('a renewal that is answered after the handler came to its end changes nothing', async () => {
  const bed = testbed({ lease: '3s' })
  const held = await hold(bed)
  const late = gate()
  bed.store.next('renew', { before: late.opened })
  await advance(1000)
  held.finish('paid')
  await held.outcome
  late.open()
  await advance(60_000)
  expect(bed.told).toEqual(['started', 'completed'])
  expect(vi.getTimerCount()).toBe(0)
})

test('a renewal that finds the attempt settled, before the settling is answered, loses nothing', async () => {
  const bed = testbed({ lease: '3s' })
  const held = await hold(bed)
  const late = gate()
  bed.store.next('completed', { after: late.opened })
  held.finish('paid')
  await advance(2000)
  expect(renewals(bed)).toHaveLength(1)
  expect(held.attempt.signal.aborted).toBe(false)
  late.open()
  expect(await held.outcome).toMatchObject({ value: 'paid', recorded: true })
  expect(bed.told).toEqual(['started', 'completed'])
  expect(vi.getTimerCount()).toBe(0)
})

test('a renewal that finds another attempt, while the settling is repeated, is told once it is answered', async () => {
  const [holder, other] = twoProcesses({ lease: '3s' })
  const held = await hold(holder)
  holder.store.fate = () => 'refused'
  held.finish('own')
  await advance(4000)
  expect(await other.idempotency.run(charge, () => 'winner')).toMatchObject({ value: 'winner', attempt: 2 })
  holder.store.fate = () => 'done'
  await advance(3000)
  expect(await held.outcome).toMatchObject({ value: 'winner', replayed: true })
  expect(holder.events('leaseLost')).toHaveLength(1)
})

describe('an attempt that is left to its lease', () => {
  test('is renewed no more, keeps its key for one lease, and is then taken over as interrupted', async () => {
    const [holder, other] = twoProcesses({ lease: '3s' })
    const held = await hold(holder)
    await advance(2500)
    lapse(held.attempt)
    await advance(1000)
    await expect(other.idempotency.run(charge, vi.fn())).rejects.toMatchObject({ code: 'IDEMPOTENCY_IN_PROGRESS' })
    await advance(3000)
    expect(held.attempt.signal.aborted).toBe(true)
    const next = await hold(other)
    expect(next.attempt).toMatchObject({ number: 2, interrupted: true })
    next.finish('paid')
    held.finish('paid')
    await Promise.all([next.outcome, held.outcome])
  })
})
