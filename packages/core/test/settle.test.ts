/** Recording what a handler returned: values, hand-backs, what cannot be kept, and a store that fails meanwhile. */
import { describe, expect, test, vi } from 'vitest'
import { release, unreplayable } from '../src/api/handler-results.ts'
import type { Codec } from '../src/api/serialization.ts'
import { IdempotencyNotReplayableError, StoreClosedError, StoreMisconfiguredError } from '../src/errors.ts'
import type { Fate } from './interposed-store.ts'
import { charge, hold, onVirtualTime, testbed, twoProcesses } from './testbed.ts'

const { advance } = onVirtualTime()

describe('release', () => {
  test('answers this caller, records nothing, and the next call runs again', async () => {
    const { idempotency, store, told } = testbed()
    expect(await idempotency.run(charge, () => release('come back later'))).toEqual({
      value: 'come back later',
      replayed: false,
      recorded: false,
      attempt: 1,
      retentionRemainingMs: 0,
    })
    expect(store.names).toEqual(['begin', 'released'])
    expect(told).toEqual(['started', 'released'])
    expect(await idempotency.run(charge, () => 'paid')).toMatchObject({ value: 'paid', attempt: 2 })
  })

  test('with a delay, not before it is over', async () => {
    const { idempotency } = testbed()
    await idempotency.run(charge, () => release('busy', { delay: '10s' }))
    await expect(idempotency.run(charge, vi.fn())).rejects.toMatchObject({
      code: 'IDEMPOTENCY_IN_PROGRESS',
      retryAfterMs: 10_000,
    })
    await advance(10_000)
    expect(await idempotency.run(charge, ({ interrupted }) => interrupted)).toMatchObject({ value: false })
  })

  test('what an interrupted attempt did before it stays unknown', async () => {
    const [crashed, other] = twoProcesses({ lease: '1s' })
    await hold(crashed)
    crashed.store.fate = () => 'never done'
    await advance(1000)
    await other.idempotency.run(charge, () => release('the provider cannot be asked now'))
    expect(await other.idempotency.run(charge, ({ interrupted }) => interrupted)).toMatchObject({ value: true })
  })

  test('a delay that cannot be read fails the handler', async () => {
    const { idempotency } = testbed()
    const call = idempotency.run(charge, () => release('busy', { delay: 'soon' as never }))
    await expect(call).rejects.toMatchObject({ code: 'IDEMPOTENCY_INVALID_OPTION', option: 'delay' })
  })

  test('a store that fails keeps the answer from nobody', async () => {
    const { idempotency, store } = testbed({ storeTimeout: '1s' })
    store.fate = ({ name }) => (name === 'released' ? 'refused' : 'done')
    const outcome = idempotency.run(charge, () => release('busy'))
    await advance(1000)
    expect(await outcome).toMatchObject({ value: 'busy', recorded: false })
  })
})

describe('C-14 a value that cannot be replayed is done all the same, and never runs again', () => {
  const loop: { self?: unknown } = {}
  loop.self = loop
  test.each<[string, () => unknown, string]>([
    ['a BigInt', () => ({ amount: 1n }), 'not-serializable'],
    ['a cycle', () => loop, 'not-serializable'],
    ['a function', () => () => 1, 'not-serializable'],
    ['20 MB', () => 'x'.repeat(20_000_000), 'too-large'],
    ['what says so', () => unreplayable('a stream'), 'unreplayable'],
  ])('%s', async (_, make, reason) => {
    const { idempotency, store, events } = testbed()
    const value = make()
    const first = await idempotency.run<unknown>(charge, () => value)
    expect(first).toMatchObject({ replayed: false, recorded: true })
    expect(first.value).toBe(reason === 'unreplayable' ? 'a stream' : value)
    expect(events('completed')).toMatchObject([{ replayable: false }])

    const handler = vi.fn()
    const again = idempotency.run(charge, handler)
    await expect(again).rejects.toThrow(IdempotencyNotReplayableError)
    await expect(again).rejects.toMatchObject({ code: 'IDEMPOTENCY_NOT_REPLAYABLE', reason })
    expect(handler).not.toHaveBeenCalled()
    expect(store.names).toEqual(['begin', 'completed', 'begin'])
  })

  test('a summary is kept instead, if it can be', async () => {
    const { idempotency } = testbed()
    await idempotency.run(charge, () => unreplayable('a stream', { status: 200 }))
    await expect(idempotency.run(charge, vi.fn())).rejects.toMatchObject({ summary: { status: 200 } })
  })

  test.each<[string, unknown]>([
    ['cannot be JSON', 1n],
    ['is too large', 'x'.repeat(20_000_000)],
  ])('a summary that %s is left out', async (_, summary) => {
    const { idempotency } = testbed()
    expect(await idempotency.run(charge, () => unreplayable('a stream', summary))).toMatchObject({ recorded: true })
    await expect(idempotency.run(charge, vi.fn())).rejects.toMatchObject({ reason: 'unreplayable', summary: undefined })
  })

  test.each<[string, Codec['encode']]>([
    [
      'throws',
      () => {
        throw new Error('no key')
      },
    ],
    [
      'rejects',
      async () => {
        throw new Error('no key')
      },
    ],
  ])('a codec that %s: the value is given, and that it is done is recorded', async (_, encode) => {
    const { idempotency, events } = testbed({ codecs: [{ id: 'broken', encode, decode: (bytes) => bytes }] })
    expect(await idempotency.run(charge, () => 'paid')).toMatchObject({ value: 'paid', recorded: true })
    expect(events('completed')).toMatchObject([{ replayable: false }])
    const handler = vi.fn()
    await expect(idempotency.run(charge, handler)).rejects.toMatchObject({
      code: 'IDEMPOTENCY_NOT_REPLAYABLE',
      reason: 'not-encodable',
    })
    expect(handler).not.toHaveBeenCalled()
  })

  test('a serializer that cannot read what it wrote', async () => {
    const serializer = {
      id: 'one-way',
      serialize: () => new Uint8Array(1),
      deserialize: () => {
        throw new Error('cannot read')
      },
    }
    const { idempotency } = testbed({ serializer })
    expect(await idempotency.run(charge, () => 'paid')).toMatchObject({ value: 'paid', recorded: true })
    await expect(idempotency.run(charge, vi.fn())).rejects.toMatchObject({ reason: 'not-serializable' })
  })
})

describe('a record that cannot be read', () => {
  /** Settles the record of `charge` with these bytes, as another version of the program may have done. */
  async function settledWith(to: 'completed' | 'failed', result: string) {
    const bed = testbed()
    await bed.idempotency.run(charge, () => 'paid')
    const [begun] = bed.store.calls
    const { key = '', claim = { owner: '', fingerprint: '', leaseMs: 0, retentionMs: 0 } } = begun ?? {}
    await bed.idempotency.forget(charge)
    const { token } = await bed.store.begin(key, { ...claim, owner: 'another version' })
    await bed.store.transition(key, token, { to, result: new TextEncoder().encode(result), retentionMs: 60_000 })
    return bed
  }

  test.each<['completed' | 'failed', string]>([
    ['completed', 'no envelope'],
    ['completed', '\u0001value:json\n{"cut off'],
    ['completed', '\u0001failure:json\n{"name":"Error","message":"no"}'],
    ['failed', '\u0001value:json\n"paid"'],
    ['failed', '\u0001failure:json\n"no failure"'],
    ['completed', '\u0001unreplayable:json\n"no reason"'],
  ])('%s with %j: it is an IdempotencyUndecodableError, and never runs again', async (state, result) => {
    const { idempotency } = await settledWith(state, result)
    const handler = vi.fn()
    for (const _ of [1, 2]) {
      await expect(idempotency.run(charge, handler)).rejects.toMatchObject({ code: 'IDEMPOTENCY_UNDECODABLE' })
    }
    expect(handler).not.toHaveBeenCalled()
    expect(await idempotency.inspect(charge)).toMatchObject({ state, unreadable: { code: 'IDEMPOTENCY_UNDECODABLE' } })
  })
})

describe('C-10 a store that fails while a result is recorded', () => {
  test.each<Fate>(['refused', 'reply lost', 'driver error', 'thrown at once'])(
    '%s: the settling is repeated with the same token, and the caller waits for it',
    async (fate) => {
      const { idempotency, store, told } = testbed()
      store.next('completed', fate, fate, fate)
      const handler = vi.fn(async () => 'paid')
      const outcome = idempotency.run(charge, handler)
      await advance(10_000)
      expect(await outcome).toMatchObject({ value: 'paid', replayed: false, recorded: true, attempt: 1 })
      expect(handler).toHaveBeenCalledOnce()
      expect(store.names).toEqual(['begin', 'completed', 'completed', 'completed', 'completed'])
      expect(new Set(store.calls.slice(1).map((call) => call.token)).size).toBe(1)
      expect(told.filter((type) => type === 'completed')).toHaveLength(1)
    },
  )

  test('the pauses between repeats grow, and are bounded', async () => {
    const { idempotency, store } = testbed({ settleTimeout: '1m' })
    const sentAt: number[] = []
    store.fate = ({ name }) => {
      if (name !== 'completed') return 'done'
      sentAt.push(Date.now())
      return 'refused'
    }
    void idempotency.run(charge, () => 'paid')
    await advance(60_000)
    const pauses = sentAt.slice(1).map((at, i) => at - (sentAt[i] ?? 0))
    expect(pauses.length).toBeGreaterThan(25)
    expect(pauses[0]).toBeLessThanOrEqual(50)
    expect(Math.max(...pauses)).toBeLessThanOrEqual(2000)
    for (const pause of pauses.slice(8)) expect(pause).toBeGreaterThanOrEqual(1000)
  })

  test('for longer than `settleTimeout`: the caller is given the value, told that it is not recorded, and once it is', async () => {
    const { idempotency, store, told, events } = testbed({ settleTimeout: '15s' })
    store.fate = ({ name }) => (name === 'completed' ? 'refused' : 'done')
    const outcome = idempotency.run(charge, () => 'paid')
    let answered = false
    void outcome.then(() => {
      answered = true
    })
    await advance(14_999)
    expect(answered).toBe(false)
    await advance(1)
    expect(await outcome).toMatchObject({ value: 'paid', replayed: false, recorded: false, attempt: 1 })
    expect(events('unrecorded')).toMatchObject([{ attempt: 1, reason: expect.stringContaining('15000 ms') }])
    expect(told).not.toContain('completed')

    store.fate = () => 'done'
    await advance(3000)
    expect(told.filter((type) => type === 'completed')).toHaveLength(1)
    const handler = vi.fn()
    expect(await idempotency.run(charge, handler)).toMatchObject({ value: 'paid', replayed: true })
    expect(handler).not.toHaveBeenCalled()
  })

  test('the lease is held while the recording goes on, so that nobody runs it again', async () => {
    const [holder, other] = twoProcesses({ lease: '3s', settleTimeout: '1s' })
    holder.store.fate = ({ name }) => (name === 'completed' ? 'refused' : 'done')
    const outcome = holder.idempotency.run(charge, () => 'paid')
    await advance(1000)
    expect(await outcome).toMatchObject({ recorded: false })
    for (let i = 0; i < 20; i++) {
      await advance(1000)
      await expect(other.idempotency.run(charge, vi.fn())).rejects.toMatchObject({ code: 'IDEMPOTENCY_IN_PROGRESS' })
    }
    holder.store.fate = () => 'done'
    await advance(3000)
    expect(await other.idempotency.run(charge, vi.fn())).toMatchObject({ value: 'paid', replayed: true })
    expect(vi.getTimerCount()).toBe(0)
  })

  test('the recording goes on past the lease, as long as nobody took over', async () => {
    const [holder, other] = twoProcesses({ lease: '3s', settleTimeout: '1s' })
    const held = await hold(holder)
    holder.store.fate = () => 'refused'
    held.finish('paid')
    await advance(10_000)
    holder.store.fate = () => 'done'
    await advance(3000)
    expect(await other.idempotency.run(charge, vi.fn())).toMatchObject({ value: 'paid', replayed: true })
  })

  test('it ends after `maxRun`, and leaves nothing behind that runs', async () => {
    const { idempotency, store } = testbed({ lease: '3s', maxRun: '1m', settleTimeout: '1s' })
    store.fate = ({ name }) => (name === 'completed' ? 'refused' : 'done')
    void idempotency.run(charge, () => 'paid')
    await advance(63_000)
    const count = store.names.length
    await advance(60_000)
    expect(store.names).toHaveLength(count)
    expect(vi.getTimerCount()).toBe(0)
    store.fate = () => 'done'
    expect(await idempotency.run(charge, ({ interrupted }) => interrupted)).toMatchObject({ value: true, attempt: 2 })
  })

  test('a store that never answers is given up after `storeTimeout`, and asked again', async () => {
    const { idempotency, store } = testbed({ storeTimeout: '1s' })
    store.next('completed', 'never answered')
    const outcome = idempotency.run(charge, () => 'paid')
    await advance(1100)
    expect(await outcome).toMatchObject({ value: 'paid', recorded: true })
  })

  test('an error that repeating cannot mend is not repeated: the value is given at once', async () => {
    const { idempotency, store, events } = testbed()
    const transition = vi.spyOn(store, 'transition').mockRejectedValue(new StoreMisconfiguredError('no table'))
    expect(await idempotency.run(charge, () => 'paid')).toMatchObject({ value: 'paid', recorded: false })
    expect(transition).toHaveBeenCalledOnce()
    expect(events('unrecorded')).toMatchObject([{ reason: 'StoreMisconfiguredError: no table' }])
  })

  test('a closed store ends everything at once: the value is given, no renewal and no repeat is sent', async () => {
    const bed = testbed({ lease: '3s' })
    const transition = vi.spyOn(bed.store, 'transition').mockRejectedValue(new StoreClosedError('the pool has ended'))
    const held = await hold(bed)
    await advance(2900)
    expect(transition).toHaveBeenCalledOnce()
    held.finish('paid')
    expect(await held.outcome).toMatchObject({ value: 'paid', recorded: false })
    expect(transition).toHaveBeenCalledTimes(2)
    expect(bed.events('unrecorded')).toMatchObject([{ reason: 'StoreClosedError: the pool has ended' }])
    expect(vi.getTimerCount()).toBe(0)
  })

  test('drain ends a recording that its caller no longer waits for', async () => {
    const { idempotency, store } = testbed({ lease: '3s', settleTimeout: '1s' })
    store.fate = ({ name }) => (name === 'completed' ? 'refused' : 'done')
    void idempotency.run(charge, () => 'paid')
    await advance(1500)
    const drained = idempotency.drain({ timeout: '1s' })
    await advance(1000)
    expect(await drained).toEqual({ unfinished: 1 })
    const count = store.names.length
    await advance(60_000)
    expect(store.names).toHaveLength(count)
    expect(vi.getTimerCount()).toBe(0)
  })
})
