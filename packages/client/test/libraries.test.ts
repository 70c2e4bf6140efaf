/** The recipes of docs/clients.md with the libraries themselves: whatever is lost, one intent is one payment. */
import { MutationObserver, QueryClient } from '@tanstack/query-core'
import axios, { AxiosError } from 'axios'
import ky, { HTTPError } from 'ky'
import pRetry from 'p-retry'
import { expect, test } from 'vitest'
import { createIdempotentFetch, IntentChangedError, memoryStorage } from '../src/index.ts'
import { createServer } from './server.ts'

const CHARGES = 'https://shop.example/charges'

/** A server whose answers to requests with these numbers are lost, after it has done its work. */
function setUp({ lost = [1, 2] }: { readonly lost?: readonly number[] } = {}) {
  const server = createServer()
  const keys: (string | null)[] = []
  const send: typeof fetch = async (input, init) => {
    const request = new Request(input, init)
    keys.push(request.headers.get('Idempotency-Key'))
    const response = await server.fetch(request)
    if (lost.includes(keys.length)) throw new TypeError('fetch failed')
    return response
  }
  const client = createIdempotentFetch({
    storage: memoryStorage(),
    fetch: send,
    retry: { backoff: { first: 1, max: 1 } },
  })
  return { client, send, keys, payments: server.payments }
}

test('axios, by its own fetch adapter', async () => {
  const { client, keys, payments } = setUp()
  const api = axios.create({ baseURL: 'https://shop.example', adapter: 'fetch' })
  const pay = (cart: string, amount: number) =>
    api.post('/charges', { amount }, { env: { fetch: client.fetchFor(`pay-${cart}`) } })

  const [first, second] = await Promise.all([pay('c1', 100), pay('c1', 100)])
  expect([first.status, first.data, second.data]).toEqual([201, { id: 1 }, { id: 1 }])
  expect([payments.length, new Set(keys).size]).toEqual([1, 1])
  expect(payments[0]?.body).toBe('{"amount":100}')
  const error: unknown = await pay('c1', 200).catch((error: unknown) => error)
  expect(error).toBeInstanceOf(AxiosError)
  expect((error as AxiosError).cause).toBeInstanceOf(IntentChangedError)
})

test('ky, which leaves retries and time to the client', async () => {
  const { client, keys, payments } = setUp()
  const api = ky.create({ prefix: 'https://shop.example', retry: 0, timeout: false })
  const pay = (cart: string, amount: number) =>
    api.post('charges', { json: { amount }, fetch: client.fetchFor(`pay-${cart}`) }).json()

  expect(await Promise.all([pay('c1', 100), pay('c1', 100)])).toEqual([{ id: 1 }, { id: 1 }])
  expect([payments.length, new Set(keys).size]).toEqual([1, 1])
  await expect(pay('c1', 200)).rejects.toThrow(IntentChangedError)
})

test('ky throws for a status that is no success, after the client has judged it', async () => {
  const client = createIdempotentFetch({
    storage: memoryStorage(),
    fetch: async () => new Response('', { status: 402 }),
  })
  const paying = ky.post(CHARGES, { json: {}, retry: 0, fetch: client.fetchFor('pay') })
  await expect(paying).rejects.toThrow(HTTPError)
})

test('TanStack Query with the client: the intent comes from the variables', async () => {
  const { client, keys, payments } = setUp()
  const mutation = new MutationObserver(new QueryClient(), {
    mutationFn: async ({ cart, amount }: { cart: string; amount: number }) =>
      (await client.fetch(CHARGES, { intent: `pay-${cart}`, body: JSON.stringify({ amount }) })).json(),
    retry: false,
  })
  const cart = { cart: 'c1', amount: 100 }
  expect(await Promise.all([mutation.mutate(cart), mutation.mutate(cart)])).toEqual([{ id: 1 }, { id: 1 }])
  expect([payments.length, new Set(keys).size]).toEqual([1, 1])
})

test('TanStack Query alone: the key is one of the variables, made outside of its retries', async () => {
  const { send, keys, payments } = setUp()
  const mutation = new MutationObserver(new QueryClient(), {
    mutationFn: async ({ key, amount }: { key: string; amount: number }) => {
      const headers = { 'Idempotency-Key': `"${key}"` }
      return (await send(CHARGES, { method: 'POST', headers, body: JSON.stringify({ amount }) })).json()
    },
    retry: 3,
    retryDelay: 1,
  })
  expect(await mutation.mutate({ key: crypto.randomUUID(), amount: 100 })).toEqual({ id: 1 })
  expect([payments.length, keys.length, new Set(keys).size]).toEqual([1, 3, 1])
})

test('p-retry: the key is made outside of the retry', async () => {
  const { send, keys, payments } = setUp()
  const key = crypto.randomUUID()
  const response = await pRetry(
    () => send(CHARGES, { method: 'POST', headers: { 'Idempotency-Key': `"${key}"` }, body: '{"amount":100}' }),
    { retries: 5, minTimeout: 1 },
  )
  expect(await response.json()).toEqual({ id: 1 })
  expect([payments.length, keys.length, new Set(keys).size]).toEqual([1, 3, 1])
})
