/** Tests without the parts that React Native lacks: Web Crypto, storage, and a Blob that takes bytes. */
import { afterEach, expect, test, vi } from 'vitest'
import { asyncStorage } from '../src/async-storage.ts'
import { createIdempotentFetch, type FetchOptions, IntentStorageError, memoryStorage } from '../src/index.ts'

afterEach(() => void vi.unstubAllGlobals())

/** A store of texts whose answers come later, as `@react-native-async-storage/async-storage` gives them. */
function textStore(entries = new Map<string, string>()) {
  return {
    entries,
    getItem: async (name: string) => entries.get(name) ?? null,
    setItem: async (name: string, value: string) => void entries.set(name, value),
    removeItem: async (name: string) => void entries.delete(name),
  }
}

function open(options: FetchOptions) {
  const keys: (string | null)[] = []
  const client = createIdempotentFetch({
    ...options,
    async fetch(request) {
      keys.push((request as Request).headers.get('Idempotency-Key'))
      return new Response('{}', { status: 201 })
    },
  })
  const pay = (intent: string) => client.fetch('https://shop.example/charges', { intent, body: '{"amount":1}' })
  return { client, keys, pay }
}

test('an app that is started again finds its key', async () => {
  const store = textStore()
  const before = open({ storage: asyncStorage(store) })
  await before.pay('cart-7')
  const after = open({ storage: asyncStorage(store) })
  await after.pay('cart-7')
  expect(after.keys).toEqual(before.keys)
})

test('calls at the same moment agree on one key, in two clients too', async () => {
  const store = textStore()
  const [one, two] = [open({ storage: asyncStorage(store) }), open({ storage: asyncStorage(store) })]
  await Promise.all(Array.from({ length: 10 }, (_, index) => (index % 2 ? one : two).pay('cart-7')))
  expect(new Set([...one.keys, ...two.keys]).size).toBe(1)
})

test('`done` removes the entry', async () => {
  const store = textStore()
  const { client, pay } = open({ storage: asyncStorage(store) })
  await pay('cart-7')
  expect(store.entries.size).toBe(1)
  await client.done('cart-7')
  expect(store.entries.size).toBe(0)
})

test('a storage that fails is an IntentStorageError, nothing is sent, and the next call has its turn', async () => {
  const store = textStore()
  let isFull = true
  const full = {
    ...store,
    setItem: (name: string, value: string) => (isFull ? Promise.reject(new Error('full')) : store.setItem(name, value)),
  }
  const { keys, pay } = open({ storage: asyncStorage(full) })
  await expect(pay('cart-7')).rejects.toThrow(IntentStorageError)
  expect(keys).toEqual([])
  isFull = false
  await pay('cart-7')
  expect(keys.length).toBe(1)
})

test('React Native without a storage is refused, since keys in memory do not survive the app', () => {
  vi.stubGlobal('navigator', { product: 'ReactNative' })
  expect(() => open({})).toThrow('asyncStorage')
  expect(() => open({ storage: memoryStorage() })).not.toThrow()
})

test.each([undefined, {}, { getRandomValues: () => {} }])(
  'without Web Crypto (%o) the error says what to load',
  async (crypto) => {
    vi.stubGlobal('navigator', { product: 'ReactNative' })
    vi.stubGlobal('crypto', crypto)
    const { keys, pay } = open({ storage: memoryStorage() })
    await expect(pay('cart-7')).rejects.toThrow(/Web Crypto is missing.*react-native-quick-crypto/)
    expect(keys).toEqual([])
  },
)

test('a text needs no Blob', async () => {
  vi.stubGlobal(
    'Blob',
    class {
      constructor() {
        throw new Error("Creating blobs from 'ArrayBuffer' and 'ArrayBufferView' are not supported")
      }
    },
  )
  const { keys, pay } = open({ storage: asyncStorage(textStore()) })
  expect((await pay('cart-7')).status).toBe(201)
  expect(keys.length).toBe(1)
})
