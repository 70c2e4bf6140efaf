/** Keys of one's own, other headers, and every kind of request, against a real server. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import fc from 'fast-check'
import { afterAll, afterEach, beforeAll, expect, onTestFinished, test } from 'vitest'
import {
  createIdempotentFetch,
  type FetchOptions,
  IntentChangedError,
  IntentUnsendableError,
  memoryStorage,
} from '../src/index.ts'

interface Received {
  readonly path: string
  readonly method: string
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: string
}

const received: Received[] = []
const server = createServer(async (request, response) => {
  let body = ''
  for await (const chunk of request.setEncoding('utf8')) body += chunk
  const { url: path = '', method = '', headers } = request
  received.push({ path, method, headers, body })
  const [, status, to] = path.match(/^\/to\/(\d+)(.*)/) ?? []
  if (status) response.writeHead(Number(status), { Location: to }).end()
  else if (path === '/busy-once' && received.length === 1) response.writeHead(409, { 'Retry-After': '0' }).end()
  else response.writeHead(201).end('{}')
})
let url = ''
beforeAll(async () => {
  await once(server.listen(0, '127.0.0.1'), 'listening')
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(() => {
  server.closeAllConnections()
  server.close()
})
afterEach(() => void received.splice(0))

const open = (options: FetchOptions = {}) =>
  createIdempotentFetch({ storage: memoryStorage(), retry: { tries: 3, backoff: { first: 1 } }, ...options })
const seen = (header: string) => received.map(({ headers }) => headers[header])

test('a key in the headers is the key of the intent, sent as it is written', async () => {
  await open().fetch(url, { intent: 'order-42', headers: { 'Idempotency-Key': 'order-42' }, body: 'a' })
  expect(seen('idempotency-key')).toEqual(['order-42'])
})

test('`key` gives a key of one’s own, and names the intent where nothing else does', async () => {
  const client = open()
  await client.fetch(url, { key: 'order "42"', body: 'a' })
  await expect(client.fetch(url, { key: 'order "42"', body: 'b' })).rejects.toThrow(IntentChangedError)
  expect(seen('idempotency-key')).toEqual(['"order \\"42\\""'])
})

test('another key under the same intent is refused before anything is sent, and none goes on with the first', async () => {
  const client = open()
  await client.fetch(url, { intent: 'i', key: 'one', body: 'a' })
  await expect(client.fetch(url, { intent: 'i', key: 'two', body: 'a' })).rejects.toThrow(IntentChangedError)
  await client.fetch(url, { intent: 'i', body: 'a' })
  expect(seen('idempotency-key')).toEqual(['"one"', '"one"'])
})

test('a key of one’s own may have been sent by another process: a refusal does not give it up for another body', async () => {
  const client = open({ fetch: async () => new Response('no', { status: 422 }) })
  await client.fetch(url, { intent: 'i', key: 'one', body: 'a' })
  await expect(client.fetch(url, { intent: 'i', key: 'one', body: 'b' })).rejects.toThrow(IntentChangedError)
})

test.each<[string, FetchOptions, string, RegExp]>([
  ['the header of the draft, quoted', {}, 'idempotency-key', /^"[\w-]{36}"$/],
  ['the header of the draft, bare', { quoted: false }, 'idempotency-key', /^[\w-]{36}$/],
  ['another header, bare', { header: 'PayPal-Request-Id' }, 'paypal-request-id', /^[\w-]{36}$/],
  ['another header, quoted', { header: 'X-Idempotency-Key', quoted: true }, 'x-idempotency-key', /^"[\w-]{36}"$/],
])('%s', async (_, options, header, form) => {
  const client = open(options)
  await client.fetch(url, { intent: 'i', body: 'a' })
  await client.fetch(url, { intent: 'i', body: 'a' })
  expect(received[0]?.headers[header]).toMatch(form)
  expect(new Set(seen(header)).size).toBe(1)
  if (header !== 'idempotency-key') expect(seen('idempotency-key')).toEqual([undefined, undefined])
})

test('any key of visible characters reaches the server as one String of RFC 9651, and no other is sent', {
  timeout: 60_000,
}, async () => {
  await fc.assert(
    fc.asyncProperty(fc.string({ maxLength: 300, unit: 'binary-ascii' }), async (key) => {
      received.splice(0)
      const isGood = /^[\x20-\x7e]{1,255}$/.test(key) && !['undefined', 'null', 'NaN', '[object Object]'].includes(key)
      const sending = open().fetch(url, { intent: 'i', key, body: 'a' })
      if (!isGood) {
        await expect(sending).rejects.toThrow(IntentUnsendableError)
        expect(received).toHaveLength(0)
        return
      }
      await sending
      const value = String(received[0]?.headers['idempotency-key'])
      expect(value.slice(1, -1).replace(/\\(["\\])/g, '$1')).toBe(key)
    }),
    { examples: [['undefined'], ['[object Object]'], ['a"b\\c'], ['ü']], numRuns: 100 },
  )
})

test('a server of somebody else that is busy is asked again with the same key', async () => {
  const { status } = await open().fetch(`${url}/busy-once`, { intent: 'i', body: 'a' })
  expect([status, new Set(seen('idempotency-key')).size, received.length]).toEqual([201, 1, 2])
})

test.each([307, 308])('a %i within the origin takes key and body along', async (status) => {
  const response = await open().fetch(`${url}/to/${status}/charges`, { intent: 'i', body: 'a' })
  expect([response.status, received.map(({ path, method, body }) => [path, method, body])]).toEqual([
    201,
    [
      [`/to/${status}/charges`, 'POST', 'a'],
      ['/charges', 'POST', 'a'],
    ],
  ])
  expect(new Set(seen('idempotency-key')).size).toBe(1)
})

test.each(['follow', 'manual'] as const)(
  'a 302 to a login page, redirect: %s: another body waits for certainty',
  async (redirect) => {
    const client = open()
    await client.fetch(`${url}/to/302/login`, { intent: 'i', body: 'a', redirect })
    await client.fetch(`${url}/to/302/login`, { intent: 'i', body: 'a', redirect })
    const keys = received.filter(({ method }) => method === 'POST').map(({ headers }) => headers['idempotency-key'])
    expect([keys.length, new Set(keys).size]).toEqual([2, 1])
    await expect(client.fetch(`${url}/to/302/login`, { intent: 'i', body: 'b', redirect })).rejects.toThrow(
      IntentChangedError,
    )
  },
)

test('a Request is sent as it is, again and again', async () => {
  const request = () =>
    new Request(`${url}/busy-once`, {
      method: 'PUT',
      headers: { 'Content-Type': 'text/x-a', 'X-Own': 'yes' },
      body: 'a',
    })
  const client = open()
  await client.fetch(request(), { intent: 'i' })
  await client.fetch(request(), { intent: 'i' })
  await client.fetch(`${url}/busy-once`, { intent: 'i', method: 'PUT', body: 'a' })
  expect(received.map(({ method, body }) => [method, body])).toEqual(Array(4).fill(['PUT', 'a']))
  expect([seen('content-type').slice(0, 3), seen('x-own').slice(0, 3)]).toEqual([
    Array(3).fill('text/x-a'),
    Array(3).fill('yes'),
  ])
  expect(new Set(seen('idempotency-key')).size).toBe(1)
  await expect(client.fetch(new Request(request(), { body: 'b' }), { intent: 'i' })).rejects.toThrow(IntentChangedError)
})

test('the signal of a Request counts, and so does that of the options', async () => {
  const aborted = AbortSignal.abort(new Error('gone'))
  await expect(open().fetch(new Request(url, { method: 'POST', signal: aborted }), { intent: 'i' })).rejects.toThrow()
  await expect(open().fetch(new Request(url, { method: 'POST' }), { intent: 'i', signal: aborted })).rejects.toThrow(
    'gone',
  )
  expect(received).toHaveLength(0)
})

test('a form in a Request is the same form, although its bytes differ each time', async () => {
  const client = open()
  const request = (amount: string) => {
    const body = new FormData()
    body.set('amount', amount)
    body.set('receipt', new File(['bytes'], 'receipt.pdf', { type: 'application/pdf' }))
    return new Request(url, { method: 'POST', body })
  }
  await client.fetch(request('1'), { intent: 'i' })
  await client.fetch(request('1'), { intent: 'i' })
  const { body } = received[0] ?? {}
  expect(body).toContain('receipt.pdf')
  expect(new Set(seen('idempotency-key')).size).toBe(1)
  await expect(client.fetch(request('2'), { intent: 'i' })).rejects.toThrow(IntentChangedError)
})

test.each<[string, RequestInit & { duplex?: 'half'; key?: string }, RegExp]>([
  ['a stream', { body: new Blob(['a']).stream(), duplex: 'half' }, /blob\(\)/],
  ['a stream of Node', { body: Readable.from(['a']) as unknown as BodyInit, duplex: 'half' }, /blob\(\)/],
  ['no-cors', { body: 'a', mode: 'no-cors' }, /no-cors/],
  ['two keys', { body: 'a', headers: { 'Idempotency-Key': 'one' }, key: 'two' }, /once/],
])('%s is refused before anything is sent, with what to do', async (_, init, words) => {
  const sending = open().fetch(url, { intent: 'i', ...init })
  await expect(sending).rejects.toThrow(IntentUnsendableError)
  await expect(sending).rejects.toThrow(words)
  expect(received).toHaveLength(0)
})

test('a Request of mode no-cors is refused, too', async () => {
  await expect(open().fetch(new Request(url, { method: 'POST', mode: 'no-cors' }), { intent: 'i' })).rejects.toThrow(
    IntentUnsendableError,
  )
})

test.each([
  {},
  { intent: '' },
  { intent: 'undefined' },
  { intent: 'NaN' },
  { intent: {} },
  { intent: 5 },
  { key: 5 },
  { key: 'null' },
])('%o names no intent: two purchases would share it, and nothing is sent', async (init) => {
  await expect(open().fetch(url, { ...init, body: 'a' } as never)).rejects.toThrow(/`intent` must name/)
  expect(received).toHaveLength(0)
})

test('fetchFor gives a fetch for libraries that take one', async () => {
  const send = open().fetchFor('i')
  await send(url, { method: 'PATCH', body: 'a' })
  await send(new Request(url, { method: 'PATCH', body: 'a' }))
  expect(received.map(({ method }) => method)).toEqual(['PATCH', 'PATCH'])
  expect(new Set(seen('idempotency-key')).size).toBe(1)
})

test('a browser whose requests have no `body` member sends bodies all the same', async () => {
  const body = Object.getOwnPropertyDescriptor(Request.prototype, 'body')
  Object.defineProperty(Request.prototype, 'body', { configurable: true, value: undefined })
  onTestFinished(() => void (body && Object.defineProperty(Request.prototype, 'body', body)))
  await open().fetch(url, { intent: 'i', body: 'a' })
  await open().fetch(new Request(url, { method: 'POST', body: 'b' }), { intent: 'i' })
  expect(received.map(({ body }) => body)).toEqual(['a', 'b'])
})

test('a Request of another implementation is read by its public members', async () => {
  const real = new Request(url, { method: 'PUT', headers: { 'Content-Type': 'text/x-a' }, body: 'a' })
  const { method, headers } = real
  const foreign = { url, method, headers, arrayBuffer: () => real.arrayBuffer() } as Request
  await open().fetch(foreign, { intent: 'i' })
  expect(received.map(({ method, headers, body }) => [method, headers['content-type'], body])).toEqual([
    ['PUT', 'text/x-a', 'a'],
  ])
})

test('a Request without a body, and one with an empty one', async () => {
  const client = open()
  await client.fetch(new Request(url), { intent: 'get' })
  await client.fetch(new Request(url, { method: 'DELETE' }), { intent: 'delete' })
  await client.fetch(new Request(url, { method: 'POST', body: '' }), { intent: 'empty' })
  await client.fetch(url, { intent: 'none' })
  expect(received.map(({ method, body }) => [method, body])).toEqual([
    ['GET', ''],
    ['DELETE', ''],
    ['POST', ''],
    ['POST', ''],
  ])
})
