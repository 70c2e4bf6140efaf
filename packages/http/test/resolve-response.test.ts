import { createIdempotency, type Idempotency, unscoped } from '@retryproof/core'
import { memoryStore } from '@retryproof/memory'
import { expect, test } from 'vitest'
import { idempotent } from '../src/fetch.ts'
import { type GivenResponse, resolveResponse } from '../src/index.ts'

const key = 'k-1'
const order = { operation: 'POST /orders', scope: unscoped, key }

/** Leaves a key of a guarded route parked. */
async function park() {
  const store = memoryStore()
  const idempotency = createIdempotency({ store, namespace: 'shop', maxAttempts: 1, onTakeover: 'park' })
  const guarded = idempotent(idempotency, { operation: order.operation, scope: unscoped }, () => {
    throw new Error('broken')
  })
  const send = async () =>
    guarded(new Request('http://shop/orders', { method: 'POST', headers: { 'Idempotency-Key': key }, body: '{}' }))
  await send().catch(() => {})
  expect((await send()).status).toBe(409)
  return { store, idempotency, send }
}

async function storedKey(idempotency: Idempotency): Promise<string> {
  for await (const record of idempotency.list({ state: 'parked' })) return record.key
  throw new Error('nothing is parked')
}

test.each(['reference', 'stored key'])(
  'a parked key of a guarded route is resolved with a response: by its %s',
  async (by) => {
    const { idempotency, send } = await park()
    const reference = by === 'reference' ? order : { key: await storedKey(idempotency) }
    await resolveResponse(idempotency, reference, {
      status: 201,
      headers: { location: '/orders/1' },
      body: { id: 'ord_1' },
    })
    const answer = await send()
    expect([answer.status, answer.headers.get('location'), answer.headers.get('content-type')]).toEqual([
      201,
      '/orders/1',
      'application/json',
    ])
    expect(answer.headers.get('idempotency-replayed')).toBe('true')
    expect(await answer.json()).toEqual({ id: 'ord_1' })
  },
)

test('a value that is no response is refused, and the key stays parked', async () => {
  const { idempotency, send } = await park()
  await expect(idempotency.resolve(order, { completed: { id: 'ch_1' } })).rejects.toThrow(/resolveResponse/)
  const { operation, ...reference } = order
  await expect(idempotency.operation(operation).resolve(reference, { completed: 1 })).rejects.toMatchObject({
    code: 'IDEMPOTENCY_INVALID_CALL',
  })
  await expect(resolveResponse(idempotency, order, { status: 99 })).rejects.toThrow(/status/)
  expect((await send()).status).toBe(409)
})

test('a key of a plain operation is not resolved with a response, where its records show what it is', async () => {
  const idempotency = createIdempotency({ store: memoryStore(), namespace: 'shop' })
  const charge = idempotency.operation('charge', { maxAttempts: 1, onTakeover: 'park' })
  await charge.run({ scope: 'a', key: 'done' }, () => 1)
  await charge.run({ scope: 'a', key }, () => Promise.reject(new Error('broken'))).catch(() => {})
  await charge.run({ scope: 'a', key }, () => 1).catch(() => {})
  const reference = { operation: 'charge', scope: 'a', key }
  await expect(resolveResponse(idempotency, reference, { status: 200 })).rejects.toMatchObject({
    code: 'IDEMPOTENCY_INVALID_CALL',
  })
})

test.each<[RegExp, unknown]>([
  [/an object/, null],
  [/an object/, [201]],
  [/an object/, 'created'],
  [/status/, {}],
  [/status/, { status: '201' }],
  [/status/, { status: 600 }],
  [/status/, { status: 201.5 }],
  [/'boddy'/, { status: 201, boddy: 1 }],
  [/headers/, { status: 201, headers: null }],
  [/headers/, { status: 201, headers: 'x' }],
  [/headers/, { status: 201, headers: [1] }],
  [/headers/, { status: 201, headers: [['a']] }],
  [/headers/, { status: 201, headers: { 'retry-after': 5 } }],
  [/headers/, { status: 201, headers: { 'a b': 'x' } }],
  [/headers/, { status: 201, headers: { a: 'x\r\ny: z' } }],
  [/204.*body/, { status: 204, body: 'x' }],
  [/304.*body/, { status: 304, body: { id: 1 } }],
])('a response that no server could send is refused, with what is wrong: %s %j', async (message, response) => {
  const { idempotency, send } = await park()
  await expect(resolveResponse(idempotency, order, response as GivenResponse)).rejects.toMatchObject({
    code: 'IDEMPOTENCY_INVALID_CALL',
    message: expect.stringMatching(message),
  })
  expect((await send()).status).toBe(409)
})

test('a status without a body is replayed without one', async () => {
  const { idempotency, send } = await park()
  await resolveResponse(idempotency, order, { status: 204, body: '' })
  const answer = await send()
  expect([answer.status, answer.headers.get('content-type'), await answer.text()]).toEqual([204, null, ''])
})
