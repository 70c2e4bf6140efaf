import { memoryStore } from '@retryproof/memory'
import { expect, test, vi } from 'vitest'
import {
  createIdempotency,
  type Idempotency,
  IdempotencyMaxAttemptsError,
  IdempotencyNotParkedError,
  IdempotencyOutcomeUnknownError,
  notStarted,
  type Policies,
  unscoped,
} from '../src/index.ts'

const call = { operation: 'charge', scope: unscoped, key: 'k' } as const

/** An instance, and how an attempt of it dies: its process is gone, and the lease is over. */
function setUp(policies: Policies = {}) {
  let now = 1_000_000
  const store = memoryStore({ now: () => now })
  const open = () => createIdempotency({ store, namespace: 'n', lease: '1s', ...policies })
  const die = async () => {
    const dead = open()
    void dead.run(call, () => new Promise(() => {})).catch(() => {})
    await vi.waitFor(async () => expect(await dead.inspect(call)).toMatchObject({ state: 'in_progress' }))
    await dead.drain({ timeout: 0 })
    now += 2000
  }
  return { idempotency: open(), die }
}

function codeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'no error',
    (error) => error.code ?? error.message,
  )
}

test('rerun: an interrupted operation runs again, and is told so', async () => {
  const { idempotency, die } = setUp()
  await die()
  const { value } = await idempotency.run(call, ({ number, interrupted }) => ({ number, interrupted }))
  expect(value).toEqual({ number: 2, interrupted: true })
})

test('park: an interrupted operation never runs again by itself, until somebody says what happened', async () => {
  const { idempotency, die } = setUp({ onTakeover: 'park' })
  const handler = vi.fn(() => 'ran')
  await die()
  expect(await codeOf(idempotency.run(call, handler))).toBe('IDEMPOTENCY_OUTCOME_UNKNOWN')
  expect(await codeOf(idempotency.run(call, handler))).toBe('IDEMPOTENCY_OUTCOME_UNKNOWN')
  expect(await idempotency.inspect(call)).toMatchObject({ state: 'parked', attempt: 2 })
  await idempotency.resolve(call, { completed: 'charged, says the provider' })
  expect(await idempotency.run(call, handler)).toMatchObject({ value: 'charged, says the provider', replayed: true })
  expect(handler).not.toHaveBeenCalled()
})

test('a parked key can be failed, or freed for another attempt', async () => {
  const { idempotency, die } = setUp({ onTakeover: 'park' })
  await die()
  await expect(idempotency.run(call, () => 'ran')).rejects.toBeInstanceOf(IdempotencyOutcomeUnknownError)
  await idempotency.resolve(call, 'rerun')
  expect(await idempotency.run(call, ({ interrupted }) => interrupted)).toMatchObject({ value: false, attempt: 3 })

  const other = setUp({ onTakeover: 'park' })
  await other.die()
  await expect(other.idempotency.run(call, () => 'ran')).rejects.toBeInstanceOf(IdempotencyOutcomeUnknownError)
  await other.idempotency.resolve(call, { failed: new Error('declined') })
  expect(await codeOf(other.idempotency.run(call, () => 'ran'))).toBe('IDEMPOTENCY_REPLAYED_FAILURE')
})

test('resolve refuses what nobody waits for', async () => {
  const { idempotency } = setUp()
  await expect(idempotency.resolve(call, 'rerun')).rejects.toBeInstanceOf(IdempotencyNotParkedError)
  await idempotency.run(call, () => 1)
  await expect(idempotency.resolve(call, { completed: 2 })).rejects.toThrow(/completed/)
})

test('ask: the downstream decides whether the handler runs', async () => {
  const ask = vi.fn(() => ({ completed: 'as the provider says' }))
  const { idempotency, die } = setUp({ onTakeover: ask })
  await die()
  const handler = vi.fn(() => 'ran')
  expect(await idempotency.run(call, handler)).toMatchObject({ value: 'as the provider says', recorded: true })
  expect(handler).not.toHaveBeenCalled()
  expect(ask).toHaveBeenCalledOnce()
})

test('ask: when the question fails, the next attempt asks again', async () => {
  let answer: () => 'rerun' = () => {
    throw new Error('provider is down')
  }
  const { idempotency, die } = setUp({ onTakeover: () => answer() })
  await die()
  const handler = vi.fn(() => 'ran')
  expect(await codeOf(idempotency.run(call, handler))).toBe('provider is down')
  expect(await idempotency.inspect(call)).toMatchObject({ state: 'released', interrupted: true })
  answer = () => 'rerun'
  expect(await idempotency.run(call, handler)).toMatchObject({ value: 'ran', attempt: 3 })
})

test('where takeovers are parked, a throw leaves the outcome unknown too, unless nothing had started', async () => {
  const { idempotency } = setUp({ onTakeover: 'park' })
  const refused = () => {
    throw notStarted(new Error('invalid card'))
  }
  expect(await codeOf(idempotency.run(call, refused))).toBe('invalid card')
  expect(await idempotency.inspect(call)).toMatchObject({ state: 'released', interrupted: false })
  expect(await codeOf(idempotency.run(call, () => Promise.reject(new Error('timeout'))))).toBe('timeout')
  expect(await codeOf(idempotency.run(call, () => 'ran'))).toBe('IDEMPOTENCY_OUTCOME_UNKNOWN')
})

test('C-16 after maxAttempts an operation that keeps failing is poisoned, for good and for everybody', async () => {
  const { idempotency } = setUp({ maxAttempts: 2 })
  const handler = vi.fn(() => Promise.reject(new Error('no')))
  for (let attempt = 1; attempt <= 2; attempt++) expect(await codeOf(idempotency.run(call, handler))).toBe('no')
  await expect(idempotency.run(call, handler)).rejects.toBeInstanceOf(IdempotencyMaxAttemptsError)
  await expect(idempotency.run(call, handler)).rejects.toMatchObject({ code: 'IDEMPOTENCY_MAX_ATTEMPTS', attempts: 2 })
  expect(handler).toHaveBeenCalledTimes(2)
})

test('C-16 after maxAttempts an operation whose last attempt was interrupted is parked', async () => {
  const { idempotency, die } = setUp({ maxAttempts: 1 })
  await die()
  expect(await codeOf(idempotency.run(call, () => 'ran'))).toBe('IDEMPOTENCY_OUTCOME_UNKNOWN')
  expect(await idempotency.inspect(call)).toMatchObject({ state: 'parked' })
})

test.each([
  ['onTakeover', { onTakeover: 'ignore' }],
  ['maxAttempts', { maxAttempts: 0 }],
  ['maxAttempts', { maxAttempts: 1.5 }],
])('%s: %o is refused', (option, policies) => {
  const { idempotency } = setUp()
  const open = (): ReturnType<Idempotency['operation']> => idempotency.operation('x', policies as Policies)
  expect(open).toThrow(expect.objectContaining({ code: 'IDEMPOTENCY_INVALID_OPTION', option }))
})

test('a resolver that says nothing has not answered: the next attempt asks again', async () => {
  const onTakeover = vi.fn<() => Promise<'rerun'>>()
  const { idempotency, die } = setUp({ onTakeover })
  await die()
  const handler = vi.fn(() => 'ran')
  onTakeover.mockResolvedValueOnce(undefined as never)
  await expect(idempotency.run(call, handler)).rejects.toMatchObject({
    code: 'IDEMPOTENCY_INVALID_OPTION',
    option: 'onTakeover',
  })
  expect(await idempotency.inspect(call)).toMatchObject({ state: 'released', interrupted: true })
  onTakeover.mockResolvedValueOnce('rerun')
  expect(await idempotency.run(call, handler)).toMatchObject({ value: 'ran', attempt: 3 })
  expect(handler).toHaveBeenCalledOnce()
})

test('a question that takes longer than the attempt may: the handler does not run on its answer', async () => {
  const { idempotency, die } = setUp({
    maxRun: '20ms',
    onTakeover: ({ signal }) => new Promise((resolve) => signal.addEventListener('abort', () => resolve('rerun'))),
  })
  await die()
  const handler = vi.fn(() => 'ran')
  expect(await codeOf(idempotency.run(call, handler))).toBe('IDEMPOTENCY_LEASE_LOST')
  expect(handler).not.toHaveBeenCalled()
  expect(await idempotency.inspect(call)).toMatchObject({ state: 'released', interrupted: true })
})
