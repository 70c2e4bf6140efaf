/** Nothing waits for ever, and nothing is kept for ever. */
import { getEventListeners, once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, onTestFinished, test, vi } from 'vitest'
import {
  createIdempotentFetch,
  IntentExpiredError,
  type IntentStorage,
  IntentStorageError,
  IntentUnreachableError,
  IntentUnsendableError,
  memoryStorage,
} from '../src/index.ts'
import { answer, HOUR_MS, ok, setUp, URL } from './set-up.ts'

const FAST = { tries: 2, backoff: { first: 1, max: 1 }, timeout: 30 } as const
const never = () => new Promise<never>(() => {})

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

test('a process that never calls done keeps no signal of requests that are over', async () => {
  const signals: WeakRef<AbortSignal>[] = []
  const forever = new AbortController()
  const client = createIdempotentFetch({
    storage: memoryStorage(),
    fetch: async (request) => {
      signals.push(new WeakRef((request as Request).signal))
      return ok.clone()
    },
  })
  for (let at = 0; at < 50; at++) await client.fetch(URL, { intent: `i ${at}`, signal: forever.signal })
  expect(getEventListeners(forever.signal, 'abort')).toHaveLength(0)
  await expect
    .poll(() => {
      collectGarbage()
      return signals.filter((signal) => signal.deref()).length
    })
    .toBeLessThan(5)
})

test('keys that are done are forgotten when their time is over; those whose outcome is unknown are not', {
  timeout: 60_000,
}, async () => {
  const storage = memoryStorage()
  const answers = new Map<string, Response>()
  const client = createIdempotentFetch({
    storage,
    retry: FAST,
    fetch: async (request) => {
      const response = answers.get(await (request as Request).text())
      if (!response) throw new TypeError('fetch failed')
      return response.clone()
    },
  })
  const send = (intent: string, response?: Response) => {
    if (response) answers.set(intent, response)
    return client.fetch(URL, { intent, body: intent })
  }
  vi.useFakeTimers({ toFake: ['Date'] })
  onTestFinished(() => void vi.useRealTimers())
  await expect(send('unknown')).rejects.toThrow(IntentUnreachableError)
  await send('refused', answer(404))
  for (let at = 0; at < 300; at++) {
    await send(`i ${at}`, ok)
    vi.setSystemTime(Date.now() + HOUR_MS / 4)
  }
  // 92 are in use at a time, four an hour for 23 hours
  expect([...(storage.names?.() ?? [])].length).toBeLessThan(200)
  await expect(send('unknown')).rejects.toThrow(IntentExpiredError)
  expect((await send('refused', ok)).status).toBe(201)
})

test('a refused request whose time is over is sent with a new key: nothing was done', async () => {
  const { send, keys } = setUp([answer(404), ok])
  await send()
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 24 * HOUR_MS })
  onTestFinished(() => void vi.useRealTimers())
  expect((await send()).status).toBe(201)
  expect(keys().size).toBe(2)
})

test('a fetch that does not listen to its signal is given up all the same', async () => {
  const client = createIdempotentFetch({ storage: memoryStorage(), retry: FAST, fetch: never })
  await expect(client.fetch(URL, { intent: 'i' })).rejects.toThrow(IntentUnreachableError)
  const caller = new AbortController()
  const sending = createIdempotentFetch({ storage: memoryStorage(), fetch: never }).fetch(URL, {
    intent: 'i',
    signal: caller.signal,
  })
  caller.abort(new Error('gone'))
  await expect(sending).rejects.toThrow('gone')
})

test('an answer whose body does not end is asked for again', async () => {
  const stalled = () => new Response(new ReadableStream({ pull: never }), { status: 201 })
  let sent = 0
  const client = createIdempotentFetch({
    storage: memoryStorage(),
    retry: FAST,
    fetch: async () => (++sent === 1 ? stalled() : ok.clone()),
  })
  expect(await (await client.fetch(URL, { intent: 'i' })).text()).toBe('text')
  expect(sent).toBe(2)
})

test('a storage that does not answer: a typed error, and nothing is sent', async () => {
  const { send, sent } = setUp([ok], { storage: { update: never }, retry: FAST })
  await expect(send()).rejects.toThrow(IntentStorageError)
  expect(sent).toHaveLength(0)
})

test.each<[string, () => unknown]>([
  [
    'throws',
    () => {
      throw new Error('no room')
    },
  ],
  ['rejects', () => Promise.reject(new Error('no room'))],
  ['keeps what is no text', async () => 5],
  ['keeps nothing', async () => undefined],
])('a storage that %s: a typed error, and nothing is sent', async (_, update) => {
  const { send, sent } = setUp([ok], { storage: { update } as unknown as IntentStorage, retry: FAST })
  await expect(send()).rejects.toThrow(IntentStorageError)
  expect(sent).toHaveLength(0)
})

test('a verdict that the storage does not note in time does not keep the answer back', async () => {
  const inner = memoryStorage()
  let updates = 0
  const storage: IntentStorage = { update: (...args) => (++updates === 1 ? inner.update(...args) : never()) }
  const { send } = setUp([ok], { storage, retry: FAST })
  expect((await send()).status).toBe(201)
})

test('a Request whose body does not end is refused', async () => {
  const body = new ReadableStream({ pull: never })
  const { client, sent } = setUp([ok], { retry: FAST })
  const request = new Request(URL, { method: 'POST', body, duplex: 'half' } as RequestInit)
  await expect(client.fetch(request, { intent: 'i' })).rejects.toThrow(IntentUnsendableError)
  expect(sent).toHaveLength(0)
})

/** A server whose answer is a stream of events that ends after some of them. */
async function eventServer(events: number): Promise<string> {
  const server = createServer((_, response) => {
    response.writeHead(200, { 'Content-Type': 'text/event-stream' })
    let sent = 0
    const timer = setInterval(() => {
      if (++sent > events) response.end()
      else response.write('data: tick\n\n')
    }, 10)
    response.on('close', () => clearInterval(timer))
  })
  await once(server.listen(0), 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://localhost:${(server.address() as AddressInfo).port}/events`
}

test('an event stream goes on past the time-out of a try, until its caller has enough', async () => {
  const url = await eventServer(10_000)
  const caller = new AbortController()
  const client = createIdempotentFetch({ storage: memoryStorage(), retry: { timeout: 100 } })
  const { body } = await client.fetch(url, { intent: 'i', signal: caller.signal })
  const reader = body?.getReader()
  let ticks = 0
  const reading = (async () => {
    while (!(await reader?.read())?.done) if (++ticks === 30) caller.abort(new Error('enough'))
  })()
  await expect(reading).rejects.toThrow('enough')
})

test('an event stream is handed on as it is, once, and leaves nothing behind when it is over', async () => {
  const url = await eventServer(3)
  const forever = new AbortController()
  const clone = vi.spyOn(Response.prototype, 'clone')
  onTestFinished(() => clone.mockRestore())
  const client = createIdempotentFetch({ storage: memoryStorage(), verdict: () => undefined })
  const response = await client.fetch(url, { intent: 'i', signal: forever.signal })
  expect([response.url, response.redirected, response.headers.get('Content-Type')]).toEqual([
    url,
    false,
    'text/event-stream',
  ])
  expect(await response.text()).toBe('data: tick\n\n'.repeat(3))
  // a clone that nobody reads would keep all that was streamed
  expect(clone).not.toHaveBeenCalled()
  await expect.poll(() => getEventListeners(forever.signal, 'abort').length).toBe(0)
})

test('an event stream without a body leaves nothing behind either', async () => {
  const { client } = setUp([new Response(null, { status: 204, headers: { 'Content-Type': 'text/event-stream' } })])
  const forever = new AbortController()
  expect((await client.fetch(URL, { intent: 'i', signal: forever.signal })).status).toBe(204)
  expect(getEventListeners(forever.signal, 'abort')).toHaveLength(0)
})

test('a network that comes back does not undercut Retry-After', async () => {
  const { send, sent } = setUp([answer(503, { 'Retry-After': '60' }), ok])
  const target = new EventTarget()
  vi.stubGlobal('addEventListener', target.addEventListener.bind(target))
  vi.stubGlobal('removeEventListener', target.removeEventListener.bind(target))
  onTestFinished(() => void vi.unstubAllGlobals())
  const caller = new AbortController()
  const sending = send('a', { signal: caller.signal })
  await expect.poll(() => sent.length).toBe(1)
  await new Promise((resolve) => setImmediate(resolve))
  target.dispatchEvent(new Event('online'))
  await new Promise((resolve) => setImmediate(resolve))
  expect(sent).toHaveLength(1)
  caller.abort(new Error('gone'))
  await expect(sending).rejects.toThrow('gone')
})

test('cancel before the key is made leaves nothing: another body is sent with a key of its own', async () => {
  const { client, send, sent } = setUp([ok])
  const sending = send('a')
  await Promise.all([expect(sending).rejects.toThrow(DOMException), client.cancel('i')])
  expect((await send('b')).status).toBe(201)
  expect(sent.map(({ body }) => body)).toEqual(['b'])
})

test('cancel while a slow storage keeps the key leaves nothing', async () => {
  const inner = memoryStorage()
  const waiting: (() => void)[] = []
  const storage: IntentStorage = {
    async update(...args) {
      if (waiting.length === 0) await new Promise<void>((resolve) => waiting.push(resolve))
      return inner.update(...args)
    },
  }
  const { client, send, sent } = setUp([ok], { storage })
  const sending = send('a')
  await expect.poll(() => waiting.length).toBe(1)
  await client.cancel('i')
  waiting[0]?.()
  await expect(sending).rejects.toThrow(DOMException)
  expect((await send('b')).status).toBe(201)
  expect(sent).toHaveLength(1)
})
