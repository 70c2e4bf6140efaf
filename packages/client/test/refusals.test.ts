/** Requests that are refused before anything is sent, and options that are refused at once. */
import { expect, test } from 'vitest'
import { asyncStorage } from '../src/async-storage.ts'
import {
  cookieStorage,
  createIdempotentFetch,
  type FetchOptions,
  IntentChangedError,
  IntentUnsendableError,
} from '../src/index.ts'
import { lossyFetch } from '../src/lossy.ts'
import { ok, setUp, URL } from './set-up.ts'

test.each<[string, string | URL, RequestInit]>([
  ['body', URL, { body: 'b' }],
  ['method', URL, { body: 'a', method: 'PUT' }],
  ['address', `${URL}/2`, { body: 'a' }],
])('another %s under the same intent is refused before anything is sent', async (_, url, init) => {
  const { client, send, sent } = setUp([ok])
  await send()
  await expect(client.fetch(url, { intent: 'i', ...init })).rejects.toThrow(IntentChangedError)
  expect(sent).toHaveLength(1)
})

test('a form is the same form, although its bytes differ each time', async () => {
  const { send, keys } = setUp([ok])
  const form = (amount: string) => {
    const data = new FormData()
    data.set('amount', amount)
    data.set('receipt', new File(['bytes'], 'receipt.pdf'))
    return data
  }
  await send(form('1'))
  await send(form('1'))
  expect(keys().size).toBe(1)
  await expect(send(form('2'))).rejects.toThrow(IntentChangedError)
})

test('a stream is refused before anything is sent, with what to do', async () => {
  const { send, sent } = setUp([ok])
  await expect(send(new Blob(['a']).stream())).rejects.toThrow(IntentUnsendableError)
  await expect(send(new Blob(['a']).stream())).rejects.toThrow(/blob\(\)/)
  expect(sent).toHaveLength(0)
})

test.each([[{ amount: 100 }], [[1, 2]]])(
  'a body that nobody made a text of, %j, is refused before anything is sent, with what to do',
  async (body) => {
    const { send, sent } = setUp([ok])
    await expect(send(body as never)).rejects.toThrow(IntentUnsendableError)
    await expect(send(body as never)).rejects.toThrow(/JSON\.stringify/)
    expect(sent).toHaveLength(0)
  },
)

/** Members that the compiler knows nothing of, as in JavaScript. */
const untyped = (members: unknown) => members as never

test.each<[string, (client: ReturnType<typeof createIdempotentFetch>) => Promise<unknown>]>([
  ['fetch without options', (client) => client.fetch(URL, untyped(undefined))],
  ['fetch with null', (client) => client.fetch(URL, untyped(null))],
  ['fetch with a mistyped intent', (client) => client.fetch(URL, untyped({ intnet: 'cart-7' }))],
  ['fetch with no text as intent', (client) => client.fetch(URL, untyped({ intent: {} }))],
  ['fetchFor nothing', (client) => client.fetchFor(untyped(undefined))(URL)],
  ['done with nothing', (client) => client.done(untyped(undefined))],
  ['cancel of an accident', (client) => client.cancel('undefined')],
])('%s is refused with what to write, and nothing is sent', async (_, call) => {
  const { client, sent } = setUp([ok])
  await expect(call(client)).rejects.toThrow(/^`intent` must name .*client\.fetch\(url, \{ intent: 'checkout-42' \}\)/)
  expect(sent).toHaveLength(0)
})

test.each<[FetchOptions, string]>([
  [{ keepFor: 0 }, 'keepFor'],
  [{ keepFor: '24 hours' as '24h' }, 'keepFor'],
  [{ retry: { timeout: '25d' } }, 'retry.timeout'],
  [{ retry: { backoff: { first: Number.NaN } } }, 'retry.backoff.first'],
  [{ retry: { within: Number.POSITIVE_INFINITY } }, 'retry.within'],
  [{ retry: { tries: Number.NaN } }, 'retry.tries'],
])('%j is refused at once, by its name', (options, name) => {
  expect(() => createIdempotentFetch(options)).toThrow(RangeError)
  expect(() => createIdempotentFetch(options)).toThrow(name)
})

test.each<[string, () => unknown, RegExp]>([
  [
    'storag',
    () => createIdempotentFetch(untyped({ storag: 1 })),
    /^storag: .*did you mean storage\?\); there are storage, retry/,
  ],
  ['KeepFor', () => createIdempotentFetch(untyped({ KeepFor: '1h' })), /^KeepFor: .*did you mean keepFor\?/],
  [
    'retry.trise',
    () => createIdempotentFetch({ retry: untyped({ trise: 3 }) }),
    /^retry\.trise: .*did you mean tries\?/,
  ],
  [
    'retry.backoff.frist',
    () => createIdempotentFetch({ retry: { backoff: untyped({ frist: 1 }) } }),
    /^retry\.backoff\.frist: .*did you mean first\?\); there are first, max$/,
  ],
  ['colour', () => createIdempotentFetch(untyped({ colour: 1 })), /^colour: is not an option here; there are/],
  ['null', () => createIdempotentFetch(untyped(null)), /^options: must be an object with storage, .*got null$/],
  ['doman', () => cookieStorage(untyped({ doman: 'a' })), /^doman: .*did you mean domain\?/],
  ['loseRequest', () => lossyFetch(untyped({ loseRequest: 1 })), /^loseRequest: .*did you mean loseRequests\?/],
  ['a storage of texts', () => createIdempotentFetch({ storage: untyped(new Map()) }), /^storage: must be one of/],
  ['no storage of texts', () => asyncStorage(untyped(undefined)), /^asyncStorage: .*getItem, setItem and removeItem/],
])('%s, which is no option, is refused at once with what was meant', (_, make, message) => {
  expect(make).toThrow(TypeError)
  expect(make).toThrow(message)
})
