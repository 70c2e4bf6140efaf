import { IdempotencyInvalidOptionError } from '@retryproof/core'
import { memoryStore } from '@retryproof/memory'
import { expect, it, vi } from 'vitest'
import { type Exchange, type KeptRequest, recoverRequests } from '../src/index.ts'
import { type Asked, newIdempotency, setUp, text } from './set-up.ts'

const headers = [
  ['Idempotency-Key', 'k1'],
  ['content-type', 'application/octet-stream'],
  ['X-Trace', 'a'],
  ['Authorization', 'Bearer secret'],
] as const
const operation = 'POST /charges'
const storeRequest = 'plaintext'

/** A process that dies in the middle of a request; its lease goes by. */
async function crashed(exchange: Partial<Exchange<Asked>>) {
  let now = 1_000_000
  const store = memoryStore({ now: () => now })
  const dying = newIdempotency({ store })
  const begun = new Promise<void>((resolve) => dying.on('started', () => resolve()))
  const guard = { storeRequest, storeHeaders: ['Content-Type', 'X-Trace'], lease: '1s' } as const
  void setUp(guard, dying).start({ headers, ...exchange }, { gate: new Promise(() => {}) }).finished
  await begun
  await dying.drain({ timeout: 0 })
  now += 2000
  const idempotency = newIdempotency({ store })
  return { ...setUp(guard, idempotency), idempotency }
}

const answer = { status: 201, headers: [['Location', '/charges/1']] as const, body: text('recovered') }

it.each<[string, Partial<Exchange<Asked>>, Uint8Array]>([
  ['bytes', { body: Uint8Array.of(0, 255, 10, 13) }, Uint8Array.of(0, 255, 10, 13)],
  ['a value', { body: undefined, parsed: { a: [1] } }, text('{"a":[1]}')],
])('a request of %s is finished without its client, which finds the answer', async (_, exchange, body) => {
  const { idempotency, ask } = await crashed(exchange)
  const handler = vi.fn((_request: KeptRequest) => answer)
  const authorize = vi.fn(() => true)
  expect(await recoverRequests(idempotency, { operation, storeRequest, handler, authorize })).toMatchObject({
    finished: 1,
  })
  const kept = {
    scope: ['ann'],
    key: 'k1',
    method: 'POST',
    target: '/charges',
    headers: [
      ['content-type', 'application/octet-stream'],
      ['x-trace', 'a'],
    ],
    body,
  }
  expect(handler).toHaveBeenCalledWith(kept, expect.objectContaining({ number: 2, interrupted: true }))
  expect(authorize).toHaveBeenCalledWith(kept)
  expect(await ask({ headers, ...exchange })).toMatchObject({
    status: 201,
    headers: { location: '/charges/1', 'idempotency-replayed': 'true' },
    body: 'recovered',
    runs: 0,
  })
})

it('an answer that is not final is not recorded', async () => {
  const { idempotency, ask } = await crashed({})
  const handler = () => ({ ...answer, status: 503 })
  await recoverRequests(idempotency, { operation, storeRequest, handler, authorize: () => true })
  expect(await ask({ headers })).toMatchObject({ status: 'own', runs: 1 })
})

it('whoever may no longer ask for it is parked', async () => {
  const { idempotency, ask } = await crashed({})
  const handler = vi.fn()
  expect(
    await recoverRequests(idempotency, { operation, storeRequest, handler, authorize: () => false }),
  ).toMatchObject({ parked: 1 })
  expect(handler).not.toHaveBeenCalled()
  expect(await ask({ headers })).toMatchObject({ status: 409, runs: 0 })
})

it('needs requests that were kept', async () => {
  const { idempotency } = await crashed({})
  const recovering = async () =>
    recoverRequests(idempotency, { operation, handler: () => answer, authorize: () => true })
  await expect(recovering()).rejects.toThrow(IdempotencyInvalidOptionError)
})
