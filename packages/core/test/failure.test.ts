/** A handler that throws: released or stored, as the policy says; its error always reaches the caller. */
import { describe, expect, test, vi } from 'vitest'
import { release } from '../src/api/handler-results.ts'
import type { Idempotency, IdempotencyOptions } from '../src/api/idempotency.ts'
import type { FailureDecision } from '../src/api/policies.ts'
import { errorType } from '../src/encoding/failure.ts'
import { IdempotencyReplayedFailureError } from '../src/errors.ts'
import { charge, hold, onVirtualTime, testbed, twoProcesses } from './testbed.ts'

class CardDeclined extends Error {
  readonly reason: string

  constructor(reason: string) {
    super(`The card was declined: ${reason}`)
    this.reason = reason
  }
}
const cardDeclined = errorType('card-declined', CardDeclined, {
  toData: ({ reason }) => ({ reason }),
  fromData: ({ reason }) => new CardDeclined(reason),
})

const { advance } = onVirtualTime()

const failing = (error: unknown) => () => {
  throw error
}

describe("onFailure 'retry', which is the default", () => {
  test('the caller is given the error, and the next call runs again', async () => {
    const { idempotency, store, told, events } = testbed()
    const error = new Error('provider is down')
    await expect(idempotency.run(charge, failing(error))).rejects.toBe(error)
    expect(store.names).toEqual(['begin', 'released'])
    expect(told).toEqual(['started', 'released'])
    expect(events('released')).toMatchObject([{ attempt: 1, delayMs: 0 }])

    const again = await idempotency.run(charge, ({ number, interrupted }) => ({ number, interrupted }))
    expect(again).toMatchObject({ value: { number: 2, interrupted: false }, attempt: 2 })
  })

  test.each([undefined, null, 'a text', 7, { status: 500 }])('%s can be thrown too', async (thrown) => {
    const { idempotency, store } = testbed()
    await expect(idempotency.run(charge, failing(thrown))).rejects.toBe(thrown)
    expect(store.names).toEqual(['begin', 'released'])
  })

  test('a handler that throws at once is as one that rejects', async () => {
    const { idempotency, store } = testbed()
    await expect(idempotency.run(charge, () => Promise.reject(new Error('late')))).rejects.toThrow('late')
    expect(store.names).toEqual(['begin', 'released'])
  })

  test('with a delay, the key is not free before it is over', async () => {
    const { idempotency } = testbed({ onFailure: { retry: '10s' } })
    await expect(idempotency.run(charge, failing(new Error('busy')))).rejects.toThrow('busy')
    await expect(idempotency.run(charge, vi.fn())).rejects.toMatchObject({
      code: 'IDEMPOTENCY_IN_PROGRESS',
      retryAfterMs: 10_000,
    })
    await advance(9999)
    await expect(idempotency.run(charge, vi.fn())).rejects.toMatchObject({ retryAfterMs: 1 })
    await advance(1)
    expect(await idempotency.run(charge, () => 'paid')).toMatchObject({ value: 'paid', attempt: 2 })
  })

  test('what an interrupted attempt did stays unknown when the next one fails', async () => {
    const [crashed, other] = twoProcesses({ lease: '1s' })
    await hold(crashed)
    crashed.store.fate = () => 'never done'
    await advance(1000)
    await expect(other.idempotency.run(charge, failing(new Error('could not ask the provider')))).rejects.toThrow()
    const third = await other.idempotency.run(charge, ({ number, interrupted }) => ({ number, interrupted }))
    expect(third.value).toEqual({ number: 3, interrupted: true })
    expect(await other.idempotency.run(charge, vi.fn())).toMatchObject({ replayed: true })
  })
})

describe("onFailure 'store'", () => {
  const stored = { onFailure: 'store', errors: [cardDeclined] } as const

  test('a registered class is thrown again as that class, without running', async () => {
    const { idempotency, store, told } = testbed(stored)
    const error = new CardDeclined('expired')
    await expect(idempotency.run(charge, failing(error))).rejects.toBe(error)
    const handler = vi.fn()
    const replayed = await idempotency.run(charge, handler).catch((replayedError: unknown) => replayedError)
    expect(replayed).toBeInstanceOf(CardDeclined)
    expect(replayed).not.toBe(error)
    expect(replayed).toMatchObject({ reason: 'expired', message: 'The card was declined: expired' })
    expect(handler).not.toHaveBeenCalled()
    expect(store.names).toEqual(['begin', 'failed', 'begin'])
    expect(told).toEqual(['started', 'failed', 'replayed'])
  })

  test('any other is a IdempotencyReplayedFailureError with its name, message and code', async () => {
    const { idempotency } = testbed(stored)
    const error = Object.assign(new RangeError('over the limit'), { code: 'LIMIT' })
    await expect(idempotency.run(charge, failing(error))).rejects.toBe(error)
    const replayed = idempotency.run(charge, vi.fn())
    await expect(replayed).rejects.toThrow(IdempotencyReplayedFailureError)
    await expect(replayed).rejects.toMatchObject({
      code: 'IDEMPOTENCY_REPLAYED_FAILURE',
      message: 'over the limit',
      failure: { name: 'RangeError', message: 'over the limit', code: 'LIMIT' },
    })
  })

  test('an error that no record can hold is stored with what can be held of it', async () => {
    const unstorable = errorType('card-declined', CardDeclined, {
      toData: () => ({ amount: 1n }),
      fromData: () => new CardDeclined(''),
    })
    const { idempotency } = testbed({ ...stored, errors: [unstorable] })
    const error = new CardDeclined('expired')
    await expect(idempotency.run(charge, failing(error))).rejects.toBe(error)
    await expect(idempotency.run(charge, vi.fn())).rejects.toMatchObject({
      code: 'IDEMPOTENCY_REPLAYED_FAILURE',
      message: 'The card was declined: expired',
    })
  })

  test('one that is too large for the store is stored without its details', async () => {
    const { idempotency, store } = testbed(stored)
    const error = new Error('x'.repeat(20_000_000))
    await expect(idempotency.run(charge, failing(error))).rejects.toBe(error)
    expect(store.names).toEqual(['begin', 'failed'])
    const replayed = await idempotency.run(charge, vi.fn()).catch((thrown: unknown) => thrown)
    expect(replayed).toMatchObject({ code: 'IDEMPOTENCY_REPLAYED_FAILURE', failure: { name: 'Error' } })
    expect((replayed as Error).message.length).toBeLessThan(2000)
  })

  test('a codec that fails takes nothing from the caller: the error is still the handler’s, the failure still final', async () => {
    const broken = {
      id: 'broken',
      encode: () => {
        throw new Error('no key')
      },
      decode: (bytes: Uint8Array) => bytes,
    }
    const { idempotency, store } = testbed({ ...stored, codecs: [broken] })
    const error = new CardDeclined('expired')
    await expect(idempotency.run(charge, failing(error))).rejects.toBe(error)
    expect(store.names).toEqual(['begin', 'failed'])
    await expect(idempotency.run(charge, vi.fn())).rejects.toMatchObject({ code: 'IDEMPOTENCY_REPLAYED_FAILURE' })
  })

  test('a failure after the signal aborted is never stored', async () => {
    const bed = testbed({ ...stored, lease: '3s' })
    const held = await hold(bed)
    bed.store.fate = ({ name }) => (name === 'renew' ? 'refused' : 'done')
    await advance(3000)
    expect(held.attempt.signal.aborted).toBe(true)
    held.fail(new CardDeclined('by a zombie'))
    await expect(held.outcome).rejects.toThrow(CardDeclined)
    expect(bed.store.names).not.toContain('failed')
    expect(await bed.idempotency.run(charge, () => 'paid')).toMatchObject({ value: 'paid' })
  })
})

describe('onFailure as a function', () => {
  test.each<[FailureDecision, string[]]>([
    ['retry', ['begin', 'released']],
    ['store', ['begin', 'failed']],
    [{ retry: '10s' }, ['begin', 'released']],
    [{ retry: 0 }, ['begin', 'released']],
  ])('that says %j', async (decision, names) => {
    const onFailure = vi.fn(() => decision)
    const { idempotency, store } = testbed({ onFailure })
    const error = new Error('no')
    await expect(idempotency.run(charge, failing(error))).rejects.toBe(error)
    expect(onFailure).toHaveBeenCalledExactlyOnceWith(error)
    expect(store.names).toEqual(names)
  })

  test.each<[string, () => unknown]>([
    ['throws', failing(new Error('broken policy'))],
    ['says nothing', () => undefined],
    ['says something else', () => 'ignore'],
    ['says a delay that cannot be read', () => ({ retry: 'soon' })],
    ['is asynchronous', async () => 'store'],
  ])(
    'that %s decides nothing: the key is released, the caller is given its error, the process is warned',
    async (_, onFailure) => {
      const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
      const { idempotency, store } = testbed({ onFailure: onFailure as () => FailureDecision })
      const error = new Error('of the handler')
      await expect(idempotency.run(charge, failing(error))).rejects.toBe(error)
      expect(store.names).toEqual(['begin', 'released'])
      expect(warned).toHaveBeenCalledOnce()
    },
  )
})

describe('a store that fails while a failure is recorded', () => {
  test.each(['retry', 'store'] as const)('the caller is given the error of the handler (%s)', async (onFailure) => {
    const { idempotency, store } = testbed({ onFailure, storeTimeout: '1s', settleTimeout: '1s' })
    store.fate = ({ name }) => (name === 'begin' ? 'done' : 'refused')
    const error = new Error('of the handler')
    const outcome = idempotency.run(charge, failing(error))
    const rejected = expect(outcome).rejects.toBe(error)
    await advance(1000)
    await rejected
  })

  describe('a release is remembered', () => {
    const day = 86_400_000
    /** A release keeps the end that the acquisition gave the record: the retention past the lease. */
    const kept = day + 30_000
    const fail = () => Promise.reject(new Error('no'))
    test.each<[string, number, Partial<IdempotencyOptions>, Parameters<Idempotency['run']>[1]]>([
      ['for minutes where the attempt did nothing that a retry has to know', 300_000, {}, fail],
      ['for minutes where the handler said so', 300_000, {}, () => release('refused')],
      ['for the retention where that is shorter', 60_000, { retention: '1m' }, fail],
      ['for the retention with a delay', kept, {}, () => release('busy', { delay: '1s' })],
      ['for the retention where it was left unresolved', kept, { onTakeover: 'park' }, fail],
      ['for the retention where attempts are counted', kept, { maxAttempts: 5 }, fail],
      ['for the retention where the request is kept for `recover`', kept, { storeRequest: 'plaintext' }, fail],
      ['for the retention where a step was taken', kept, {}, ({ step }) => step('charge', () => 1).then(fail)],
    ])('%s', async (_, retentionMs, options, handler) => {
      const { idempotency } = testbed(options)
      await idempotency.run(charge, handler).catch(() => undefined)
      expect(await idempotency.inspect(charge)).toMatchObject({ state: 'released', retentionRemainingMs: retentionMs })
    })

    test('for the retention where an earlier attempt was interrupted, or took a step', async () => {
      const [first, second] = twoProcesses({ lease: '1s' })
      await hold(first)
      first.store.fate = () => 'never done'
      await advance(1001)
      await second.idempotency.run(charge, fail).catch(() => undefined)
      expect(await second.idempotency.inspect(charge)).toMatchObject({
        interrupted: true,
        retentionRemainingMs: day + 1000,
      })

      const call = { ...charge, key: 'k2' }
      const step: typeof fail = () => Promise.reject(new Error('no'))
      await second.idempotency.run(call, (attempt) => attempt.step('a', () => 1).then(step)).catch(() => undefined)
      await second.idempotency.run(call, fail).catch(() => undefined)
      expect(await second.idempotency.inspect(call)).toMatchObject({ attempt: 2, retentionRemainingMs: day + 1000 })
    })
  })

  test('the key is released in the background once the store is back', async () => {
    const { idempotency, store, told } = testbed({ storeTimeout: '1s', lease: '1h' })
    store.fate = ({ name }) => (name === 'released' ? 'refused' : 'done')
    const outcome = idempotency.run(charge, failing(new Error('no')))
    outcome.catch(() => undefined)
    await advance(10_000)
    await expect(outcome).rejects.toThrow('no')
    store.fate = () => 'done'
    await advance(2000)
    expect(told).toContain('released')
    expect(await idempotency.run(charge, () => 'paid')).toMatchObject({ value: 'paid', attempt: 2 })
  })
})
