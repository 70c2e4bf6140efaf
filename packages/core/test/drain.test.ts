/** Shutting down: no new work, replays go on, what is unfinished is left to its lease. */
import { expect, test, vi } from 'vitest'
import { IdempotencyDrainingError, IdempotencyInvalidOptionError, IdempotencyKeyReusedError } from '../src/errors.ts'
import { gate } from './interposed-store.ts'
import { charge, hold, onVirtualTime, testbed, twoProcesses } from './testbed.ts'

const { advance } = onVirtualTime()

const other = { ...charge, key: 'k2' }

test('where nothing runs it is over at once', async () => {
  const { idempotency } = testbed()
  expect(await idempotency.drain()).toEqual({ unfinished: 0 })
  expect(vi.getTimerCount()).toBe(0)
})

test('new work is refused, and says to retry', async () => {
  const { idempotency, store } = testbed()
  await idempotency.drain()
  const handler = vi.fn()
  const call = idempotency.run(charge, handler)
  await expect(call).rejects.toThrow(IdempotencyDrainingError)
  await expect(call).rejects.toMatchObject({ code: 'IDEMPOTENCY_DRAINING' })
  expect(handler).not.toHaveBeenCalled()
  expect(store.names).toEqual(['get'])
})

test('replays and mismatches go on, and cost one call', async () => {
  const { idempotency, store } = testbed()
  await idempotency.run(charge, () => 'paid')
  await idempotency.drain()
  store.names.length = 0
  expect(await idempotency.run(charge, vi.fn())).toMatchObject({ value: 'paid', replayed: true })
  await expect(idempotency.run({ ...charge, payload: 1 }, vi.fn())).rejects.toThrow(IdempotencyKeyReusedError)
  expect(store.names).toEqual(['get', 'get'])
})

test('waits for what runs, with its heartbeat', async () => {
  const bed = testbed({ lease: '3s' })
  const held = await hold(bed)
  const drained = bed.idempotency.drain({ timeout: '30s' })
  await advance(10_000)
  expect(bed.told).toContain('renewed')
  expect(held.attempt.signal.aborted).toBe(false)
  held.finish('paid')
  await advance(0)
  expect(await drained).toEqual({ unfinished: 0 })
  expect(await held.outcome).toMatchObject({ value: 'paid', recorded: true })
  expect(vi.getTimerCount()).toBe(0)
})

test('what is unfinished when the time is over is left to its lease: told to stop, renewed no more, never released', async () => {
  const [leaving, staying] = twoProcesses({ lease: '3s' })
  const held = await hold(leaving)
  const drained = leaving.idempotency.drain({ timeout: '10s' })
  await advance(10_000)
  await advance(0)
  expect(await drained).toEqual({ unfinished: 1 })
  expect(held.attempt.signal.aborted).toBe(true)

  held.fail(held.attempt.signal.reason)
  await expect(held.outcome).rejects.toMatchObject({ message: 'The process is shutting down.' })
  expect(leaving.store.names).not.toContain('released')
  await expect(staying.idempotency.run(charge, vi.fn())).rejects.toMatchObject({ code: 'IDEMPOTENCY_IN_PROGRESS' })
  await advance(3000)
  const next = await staying.idempotency.run(charge, ({ interrupted }) => interrupted)
  expect(next).toMatchObject({ value: true, attempt: 2 })
})

test('what finishes after the time is recorded all the same', async () => {
  const bed = testbed({ lease: '3s' })
  const held = await hold(bed)
  const drained = bed.idempotency.drain({ timeout: '1s' })
  await advance(1000)
  await advance(0)
  await drained
  held.finish('paid')
  expect(await held.outcome).toMatchObject({ value: 'paid', recorded: true })
  expect(bed.told).not.toContain('leaseLost')
})

test('waits for a recording that its caller no longer waits for', async () => {
  const bed = testbed({ lease: '10s', settleTimeout: '1s' })
  const held = await hold(bed)
  bed.store.fate = () => 'refused'
  held.finish('paid')
  await advance(1000)
  expect(await held.outcome).toMatchObject({ value: 'paid', recorded: false })

  let over = false
  const drained = bed.idempotency.drain({ timeout: '60s' }).then((left) => {
    over = true
    return left
  })
  await advance(5000)
  expect(over).toBe(false)
  bed.store.fate = () => 'done'
  await advance(5000)
  await advance(0)
  expect(await drained).toEqual({ unfinished: 0 })
  expect(await bed.idempotency.run(charge, vi.fn())).toMatchObject({ value: 'paid', replayed: true })
})

test('a begin that is under way when it starts does not run its handler, and hands the key back', async () => {
  const [leaving, staying] = twoProcesses()
  const answered = gate()
  leaving.store.next('begin', { after: answered.opened })
  const handler = vi.fn()
  const call = leaving.idempotency.run(charge, handler)
  call.catch(() => undefined)
  await advance(0)
  const drained = leaving.idempotency.drain()
  answered.open()

  await advance(0)
  expect(await drained).toEqual({ unfinished: 0 })
  await expect(call).rejects.toThrow(IdempotencyDrainingError)
  expect(handler).not.toHaveBeenCalled()
  expect(leaving.store.names).toEqual(['begin', 'released'])
  expect(await staying.idempotency.run(charge, ({ interrupted }) => interrupted)).toMatchObject({ value: false })
})

test('and one that takes an attempt over leaves that one interrupted', async () => {
  const [crashed, leaving] = twoProcesses({ lease: '1s' })
  await hold(crashed)
  crashed.store.fate = () => 'never done'
  await advance(1000)
  const answered = gate()
  leaving.store.next('begin', { after: answered.opened })
  const call = leaving.idempotency.run(charge, vi.fn())
  call.catch(() => undefined)
  await advance(0)
  const drained = leaving.idempotency.drain()
  answered.open()
  await advance(0)
  await drained
  expect(await leaving.idempotency.inspect(charge)).toMatchObject({ state: 'released', interrupted: true, attempt: 2 })
})

test('calls that come while it waits do not prolong it', async () => {
  const bed = testbed()
  const held = await hold(bed)
  const drained = bed.idempotency.drain({ timeout: '60s' })
  const slow = gate()
  bed.store.next('get', { before: slow.opened })
  const late = bed.idempotency.run(other, vi.fn())
  late.catch(() => undefined)
  await advance(0)
  held.finish('paid')
  await advance(0)
  expect(await drained).toEqual({ unfinished: 0 })
  slow.open()
  await expect(late).rejects.toThrow(IdempotencyDrainingError)
})

test('may be asked for twice: both wait for the same', async () => {
  const bed = testbed()
  const held = await hold(bed)
  const both = Promise.all([bed.idempotency.drain({ timeout: '60s' }), bed.idempotency.drain({ timeout: '60s' })])
  await advance(1000)
  held.finish('paid')
  await advance(0)
  expect(await both).toEqual([{ unfinished: 0 }, { unfinished: 0 }])
  expect(vi.getTimerCount()).toBe(0)
})

test('a time that cannot be read is refused, and nothing is drained', async () => {
  const { idempotency } = testbed()
  await expect(idempotency.drain({ timeout: 'soon' as never })).rejects.toThrow(IdempotencyInvalidOptionError)
  expect(await idempotency.run(charge, () => 'paid')).toMatchObject({ value: 'paid' })
})

test('a call that waits for another process goes on to wait, and is given its result', async () => {
  const [holder, leaving] = twoProcesses()
  const held = await hold(holder)
  const call = leaving.idempotency.run(charge, vi.fn(), { onInProgress: { wait: '30s' } })
  await advance(0)
  const drained = leaving.idempotency.drain({ timeout: '60s' })
  await advance(1000)
  held.finish('paid')
  await advance(5000)
  expect(await call).toMatchObject({ value: 'paid', replayed: true })
  await advance(0)
  expect(await drained).toEqual({ unfinished: 0 })
})
