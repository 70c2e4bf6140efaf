/** Bounds of tries and times, and ways to end what is under way. */
import { expect, test, vi } from 'vitest'
import { createIdempotentFetch, IntentExpiredError, IntentUnreachableError, memoryStorage } from '../src/index.ts'
import { answer, HOUR_MS, ok, setUp, URL } from './set-up.ts'

test('tries are bounded: what cannot be reached is an error with its cause, and keeps the key', async () => {
  const { send, sent, keys } = setUp([undefined], { retry: { backoff: { first: 1, max: 1 }, tries: 3 } })
  const error = await send().catch((error) => error)
  expect(error).toBeInstanceOf(IntentUnreachableError)
  expect(error).toMatchObject({ code: 'INTENT_UNREACHABLE', tries: 3, cause: expect.any(TypeError) })
  await expect(send()).rejects.toThrow(IntentUnreachableError)
  expect([sent.length, keys().size]).toEqual([6, 1])
})

test('the last answer is returned when the time is over, and Retry-After is not undercut', async () => {
  const { send, sent } = setUp([answer(503, { 'Retry-After': '60' })], {
    retry: { backoff: { first: 1 }, within: 1000 },
  })
  expect((await send()).status).toBe(503)
  expect(sent).toHaveLength(1)
})

test('a caller who gives up gets the reason; the key is kept', async () => {
  const { send, sent, keys } = setUp([undefined, ok], { retry: { backoff: { first: 60_000, max: 60_000 } } })
  const caller = new AbortController()
  const sending = send('a', { signal: caller.signal })
  await vi.waitFor(() => expect(sent).toHaveLength(1))
  caller.abort(new Error('gone'))
  await expect(sending).rejects.toThrow('gone')
  await send()
  expect(keys().size).toBe(1)
})

test('an answer that does not come in time is asked for again', async () => {
  let sent = 0
  const client = createIdempotentFetch({
    storage: memoryStorage(),
    retry: { backoff: { first: 1 }, timeout: 20 },
    fetch: (request) => {
      if (++sent > 1) return Promise.resolve(ok.clone())
      return new Promise((_, reject) => {
        const { signal } = request as Request
        signal.addEventListener('abort', () => reject(signal.reason))
      })
    },
  })
  expect((await client.fetch(URL, { intent: 'i' })).status).toBe(201)
  expect(sent).toBe(2)
})

test('no try begins after the time of its key', async () => {
  const { send, sent } = setUp([undefined], { keepFor: 40, retry: { tries: 1000, backoff: { first: 1, max: 1 } } })
  const startedAt = performance.now()
  await expect(send()).rejects.toThrow(IntentUnreachableError)
  expect(sent.length).toBeLessThan(1000)
  expect(performance.now() - startedAt).toBeLessThan(5000)
})

test('cancel ends what is under way, and the next request has another key', async () => {
  const { client, send, sent, keys } = setUp([undefined, ok], { retry: { backoff: { first: 60_000, max: 60_000 } } })
  const sending = send()
  await vi.waitFor(() => expect(sent).toHaveLength(1))
  await Promise.all([expect(sending).rejects.toThrow(DOMException), client.cancel('i')])
  expect((await send()).status).toBe(201)
  expect(keys().size).toBe(2)
})

test('an answer that is cut off is asked for again with the same key', async () => {
  const cut = new ReadableStream({
    pull(controller) {
      controller.error(new TypeError('terminated'))
    },
  })
  const answers = [new Response(cut, { status: 201 }), new Response('whole', { status: 201 })]
  const keys = new Set<string | null>()
  const client = createIdempotentFetch({
    storage: memoryStorage(),
    retry: { backoff: { first: 1 } },
    async fetch(request) {
      keys.add((request as Request).headers.get('Idempotency-Key'))
      return answers.shift() ?? new Response('none')
    },
  })
  expect(await (await client.fetch(URL, { intent: 'i' })).text()).toBe('whole')
  expect(keys.size).toBe(1)
})

test('the time of a key: open, it is not sent any more; done, the intent is new', async () => {
  const storage = memoryStorage()
  const open = setUp([undefined], { storage, retry: { tries: 1 } })
  await expect(open.send()).rejects.toThrow(IntentUnreachableError)
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 24 * HOUR_MS })
  try {
    await expect(open.send()).rejects.toThrow(IntentExpiredError)
    expect(open.sent).toHaveLength(1)
    await open.client.cancel('i')

    const done = setUp([ok], { storage })
    await done.send()
    vi.setSystemTime(Date.now() + 24 * HOUR_MS)
    await done.send()
    expect(done.keys().size).toBe(2)
  } finally {
    vi.useRealTimers()
  }
})

test('a clock that was set back by hours cannot say how old a key is: an open one is not sent', async () => {
  const { send, sent } = setUp([undefined], { retry: { tries: 1 } })
  await expect(send()).rejects.toThrow(IntentUnreachableError)
  await expectExpired({ send, sent })
})

test('a clock that was set back by hours: a key that is done is not sent either, which the server may have forgotten', async () => {
  const { send, sent } = setUp([ok])
  await send()
  await expectExpired({ send, sent })
})

/** Expects that a clock which was set back by an hour keeps the client from sending again. */
async function expectExpired({ send, sent }: Pick<ReturnType<typeof setUp>, 'send' | 'sent'>): Promise<void> {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() - HOUR_MS })
  try {
    await expect(send()).rejects.toThrow(IntentExpiredError)
    expect(sent).toHaveLength(1)
  } finally {
    vi.useRealTimers()
  }
}
