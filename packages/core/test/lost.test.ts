/** A holder that finds itself lost never overrides: it gives the winner's result where there is one. */
import { describe, expect, test, vi } from 'vitest'
import type { Call } from '../src/api/call.ts'
import { release, unreplayable } from '../src/api/handler-results.ts'
import { IdempotencyLeaseLostError } from '../src/errors.ts'
import { charge, type Held, hold, onVirtualTime, type Testbed, twoProcesses } from './testbed.ts'

const { advance } = onVirtualTime()

interface Scene {
  readonly zombie: Testbed
  readonly other: Testbed
  /** The attempt of the zombie: its heartbeat did not come through, so that its lease lapsed. */
  readonly stale: Held<string>
}

/** A holder whose lease lapsed; its store is reachable again. */
async function zombie(): Promise<Scene> {
  const [zombie, other] = twoProcesses({ lease: '3s' })
  const stale = await hold(zombie)
  zombie.store.fate = () => 'refused'
  await advance(3000)
  zombie.store.fate = () => 'done'
  zombie.store.names.length = 0
  return { zombie, other, stale }
}

test('a lease that lapsed and was not taken is still one’s own', async () => {
  const { zombie: bed, stale } = await zombie()
  stale.finish('mine')
  expect(await stale.outcome).toMatchObject({ value: 'mine', replayed: false, recorded: true, attempt: 1 })
  expect(bed.store.names).toEqual(['completed'])
})

describe('the winner', () => {
  test('completed: its result, and nothing is overwritten', async () => {
    const { zombie: bed, other, stale } = await zombie()
    await other.idempotency.run(charge, () => 'theirs')
    stale.finish('mine')
    expect(await stale.outcome).toMatchObject({ value: 'theirs', replayed: true, recorded: true, attempt: 2 })
    expect(bed.store.names).toEqual(['completed'])
    expect(await other.idempotency.run(charge, vi.fn())).toMatchObject({ value: 'theirs' })
    expect(bed.events('leaseLost')).toHaveLength(1)
  })

  test('completed: its result, also where this attempt failed', async () => {
    const { zombie: bed, other, stale } = await zombie()
    await other.idempotency.run(charge, () => 'theirs')
    stale.fail(new Error('my connection broke'))
    expect(await stale.outcome).toMatchObject({ value: 'theirs', replayed: true })
    expect(bed.store.names).toEqual(['released'])
  })

  test('failed for good: its failure, though this attempt succeeded', async () => {
    const { other, stale } = await zombie()
    const failing = other.idempotency.run(
      charge,
      () => {
        throw new Error('their card was declined')
      },
      { onFailure: 'store' },
    )
    await expect(failing).rejects.toThrow()
    stale.finish('mine')
    await expect(stale.outcome).rejects.toMatchObject({
      code: 'IDEMPOTENCY_REPLAYED_FAILURE',
      message: 'their card was declined',
    })
  })

  test('completed, but not replayable: so it says', async () => {
    const { other, stale } = await zombie()
    await other.idempotency.run(charge, () => unreplayable('a stream'))
    stale.finish('mine')
    await expect(stale.outcome).rejects.toMatchObject({ code: 'IDEMPOTENCY_NOT_REPLAYABLE' })
  })

  test('in progress, and then done: its result', async () => {
    const { other, stale } = await zombie()
    const winner = await hold(other)
    stale.finish('mine')
    await advance(2000)
    winner.finish('theirs')
    await advance(1000)
    expect(await stale.outcome).toMatchObject({ value: 'theirs', replayed: true, attempt: 2 })
  })

  test('in progress for longer than a lease: IdempotencyLeaseLostError', async () => {
    const { other, stale } = await zombie()
    await hold(other)
    stale.finish('mine')
    const rejected = expect(stale.outcome).rejects.toThrow(IdempotencyLeaseLostError)
    await advance(2999)
    expect(vi.getTimerCount()).toBeGreaterThan(0)
    await advance(1)
    await rejected
    await expect(stale.outcome).rejects.toMatchObject({
      code: 'IDEMPOTENCY_LEASE_LOST',
      message: expect.stringContaining('in_progress (attempt 2)'),
    })
  })

  test('in progress for longer than a lease, and this attempt failed: its error is the cause', async () => {
    const { other, stale } = await zombie()
    await hold(other)
    const error = new Error('my connection broke')
    stale.fail(error)
    const rejected = expect(stale.outcome).rejects.toMatchObject({ code: 'IDEMPOTENCY_LEASE_LOST', cause: error })
    await advance(3000)
    await rejected
  })

  test('fell silent too: IdempotencyLeaseLostError as soon as its lease is over', async () => {
    const { other, stale } = await zombie()
    await hold(other)
    other.store.fate = () => 'never done'
    stale.finish('mine')
    const rejected = expect(stale.outcome).rejects.toThrow(IdempotencyLeaseLostError)
    await advance(3001)
    await rejected
  })

  test('this one learns of when it settles: it sends no heartbeat while it waits, and tells of it once', async () => {
    const [bed, other] = twoProcesses({ lease: '3s' })
    const held = await hold(bed)
    // nothing told it so far: the key was forgotten, and taken by another
    await other.idempotency.forget(charge)
    await hold(other)
    held.finish('mine')
    await advance(2900)
    expect(bed.store.names).not.toContain('renew')
    await advance(200)
    await expect(held.outcome).rejects.toThrow(IdempotencyLeaseLostError)
    expect(bed.events('leaseLost')).toHaveLength(1)
  })
})

describe('the key is free: another attempt took it and gave it back', () => {
  test('what this attempt did is recorded without running', async () => {
    const { zombie: bed, other, stale } = await zombie()
    await other.idempotency.run(charge, () => release('busy'))
    stale.finish('mine')
    expect(await stale.outcome).toMatchObject({ value: 'mine', replayed: false, recorded: true, attempt: 3 })
    expect(bed.store.names).toEqual(['completed', 'begin', 'completed'])
    expect(bed.events('completed')).toMatchObject([{ attempt: 3 }])
    expect(bed.events('unrecorded')).toEqual([])
    expect(await other.idempotency.run(charge, vi.fn())).toMatchObject({ value: 'mine', replayed: true })
  })

  test('a failure of this attempt is its own, and so is what it hands back', async () => {
    const failed = await zombie()
    await failed.other.idempotency.run(charge, () => release('busy'))
    failed.stale.fail(new Error('mine'))
    await expect(failed.stale.outcome).rejects.toThrow('mine')
    expect(failed.zombie.store.names).toEqual(['released'])

    const [zombieBed, other] = twoProcesses({ lease: '3s' })
    let back: (value: string) => void = () => {}
    const outcome = zombieBed.idempotency.run(charge, async () =>
      release(
        await new Promise<string>((r) => {
          back = r
        }),
      ),
    )
    await advance(0)
    zombieBed.store.fate = () => 'refused'
    await advance(3000)
    zombieBed.store.fate = () => 'done'
    await other.idempotency.run(charge, () => release('busy'))
    back('mine')
    expect(await outcome).toMatchObject({ value: 'mine', recorded: false })
  })

  test('and it is taken before this one comes: the winner’s result', async () => {
    const { zombie: bed, other, stale } = await zombie()
    await other.idempotency.run(charge, () => release('busy'))
    const begin = bed.store.begin
    vi.spyOn(bed.store, 'begin').mockImplementation(async (key, claim) => {
      await other.idempotency.run(charge, () => 'theirs')
      return begin(key, claim)
    })
    stale.finish('mine')
    expect(await stale.outcome).toMatchObject({ value: 'theirs', replayed: true, attempt: 3 })
  })

  test('and it is taken by one that still runs: its result, once it is there', async () => {
    const { zombie: bed, other, stale } = await zombie()
    await other.idempotency.run(charge, () => release('busy'))
    let winner: Held<string> | undefined
    const begin = bed.store.begin
    vi.spyOn(bed.store, 'begin').mockImplementation(async (key, claim) => {
      winner ??= await hold(other)
      return begin(key, claim)
    })
    stale.finish('mine')
    await advance(1000)
    winner?.finish('theirs')
    await advance(1000)
    expect(await stale.outcome).toMatchObject({ value: 'theirs', replayed: true, attempt: 3 })
  })

  test('and fails for good before this one comes: that failure', async () => {
    const { zombie: bed, other, stale } = await zombie()
    await other.idempotency.run(charge, () => release('busy'))
    const begin = bed.store.begin
    vi.spyOn(bed.store, 'begin').mockImplementation(async (key, claim) => {
      const failing = other.idempotency.run(charge, () => Promise.reject(new Error('declined')), { onFailure: 'store' })
      await failing.catch(() => undefined)
      return begin(key, claim)
    })
    stale.finish('mine')
    await expect(stale.outcome).rejects.toMatchObject({ code: 'IDEMPOTENCY_REPLAYED_FAILURE', message: 'declined' })
  })

  test('not before a delay is over: its own value, and it says that no record tells it', async () => {
    const { zombie: bed, other, stale } = await zombie()
    await other.idempotency.run(charge, () => release('busy', { delay: '1h' }))
    stale.finish('mine')
    expect(await stale.outcome).toMatchObject({ value: 'mine', recorded: false, attempt: 1 })
    expect(bed.events('unrecorded')).toMatchObject([{ attempt: 1, token: stale.attempt.token }])
  })

  test.each(['begin', 'completed'] as const)('and the store fails at %s: its own value, not recorded', async (name) => {
    const { zombie: bed, other, stale } = await zombie()
    await other.idempotency.run(charge, () => release('busy'))
    bed.store.next('completed', 'done')
    bed.store.fate = (call) => (call.name === name ? 'refused' : 'done')
    stale.finish('mine')
    await advance(20_000)
    expect(await stale.outcome).toMatchObject({ value: 'mine', recorded: false, attempt: 1 })
    expect(bed.events('unrecorded')).toMatchObject([{ attempt: 1, reason: expect.stringContaining('refused') }])
  })

  test('what cannot be kept stays so: completed, not replayable', async () => {
    const [zombieBed, other] = twoProcesses({ lease: '3s' })
    let finish: () => void = () => {}
    const outcome = zombieBed.idempotency.run(charge, async () => {
      await new Promise<void>((resolve) => {
        finish = resolve
      })
      return unreplayable('a stream', { status: 200 })
    })
    await advance(0)
    zombieBed.store.fate = () => 'refused'
    await advance(3000)
    zombieBed.store.fate = () => 'done'
    await other.idempotency.run(charge, () => release('busy'))
    finish()
    expect(await outcome).toMatchObject({ value: 'a stream', recorded: true })
    expect(zombieBed.events('completed')).toMatchObject([{ replayable: false }])
    await expect(other.idempotency.run(charge, vi.fn())).rejects.toMatchObject({ summary: { status: 200 } })
  })
})

describe('the record is no longer that of this attempt', () => {
  const anotherPayload: Call = { ...charge, payload: { amount: 999 } }

  test('gone: its own value, not recorded', async () => {
    const { zombie: bed, other, stale } = await zombie()
    await other.idempotency.forget(charge)
    stale.finish('mine')
    expect(await stale.outcome).toMatchObject({ value: 'mine', recorded: false })
    expect(bed.events('unrecorded')).toMatchObject([{ reason: 'the record is gone' }])
    expect(bed.store.names).toEqual(['completed'])
  })

  test('gone: its own failure', async () => {
    const { other, stale } = await zombie()
    await other.idempotency.forget(charge)
    stale.fail(new Error('mine'))
    await expect(stale.outcome).rejects.toThrow('mine')
  })

  test('forgotten, and taken by another payload: that one’s result is not given', async () => {
    const { other, stale } = await zombie()
    await other.idempotency.forget(charge)
    await other.idempotency.run(anotherPayload, () => 'of another payload')
    stale.finish('mine')
    expect(await stale.outcome).toMatchObject({ value: 'mine', recorded: false })
    expect(await other.idempotency.run(anotherPayload, vi.fn())).toMatchObject({ value: 'of another payload' })
  })

  test('forgotten, and held by another payload: it is waited for, and not given', async () => {
    const { other, stale } = await zombie()
    await other.idempotency.forget(charge)
    const winner = await hold(other, anotherPayload)
    stale.finish('mine')
    await advance(1000)
    winner.finish('of another payload')
    await advance(1000)
    expect(await stale.outcome).toMatchObject({ value: 'mine', recorded: false })
  })
})

test('two zombies and a winner: all three callers are given one result', async () => {
  const [first, second] = twoProcesses({ lease: '3s' })
  const stale = [await hold(first)]
  first.store.fate = () => 'refused'
  await advance(3000)
  stale.push(await hold(second))
  second.store.fate = () => 'refused'
  await advance(3000)
  first.store.fate = () => 'done'
  expect(await first.idempotency.run(charge, () => 'third')).toMatchObject({ attempt: 3 })
  second.store.fate = () => 'done'
  for (const held of stale) held.finish('stale')
  expect(await Promise.all(stale.map(async (held) => (await held.outcome).value))).toEqual(['third', 'third'])
})
