/** Limits of retries, refusals before anything is sent, storages that fail, and clearing. */
import { readFileSync } from 'node:fs'
import { expect, onTestFinished, test, vi } from 'vitest'
import * as client from '../src/index.ts'
import {
  createIdempotentFetch,
  type FetchOptions,
  IntentChangedError,
  IntentExpiredError,
  type IntentStorage,
  IntentStorageError,
  IntentUnreachableError,
  IntentUnsendableError,
  isIntentError,
  memoryStorage,
  webStorage,
} from '../src/index.ts'
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
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() - HOUR_MS })
  try {
    await expect(send()).rejects.toThrow(IntentExpiredError)
    expect(sent).toHaveLength(1)
  } finally {
    vi.useRealTimers()
  }
})

/** A `Storage` that does what it is told. */
function storageOf(set: (key: string, value: string) => void, get: (key: string) => string | null): Storage {
  return { setItem: set, getItem: get, removeItem() {}, clear() {}, key: () => null, length: 0 }
}

test.each<[string, IntentStorage]>([
  [
    'full',
    webStorage(() =>
      storageOf(
        () => {
          throw new DOMException('full', 'QuotaExceededError')
        },
        () => null,
      ),
    ),
  ],
  [
    'blocked',
    webStorage(() => {
      throw new DOMException('blocked', 'SecurityError')
    }),
  ],
  ['absent', webStorage(() => (globalThis as unknown as { none: Storage }).none)],
  [
    'forgetful',
    webStorage(() =>
      storageOf(
        () => {},
        () => null,
      ),
    ),
  ],
  [
    'of somebody else',
    webStorage(() =>
      storageOf(
        () => {},
        () => 'what is this?',
      ),
    ),
  ],
])('a storage that is %s: a typed error, and nothing is sent', async (_, storage) => {
  const { send, sent } = setUp([ok], { storage })
  await expect(send()).rejects.toThrow(IntentStorageError)
  expect(sent).toHaveLength(0)
})

test('an answer that cannot be noted is returned all the same, and asked for with the same key', async () => {
  const inner = memoryStorage()
  let updates = 0
  const storage: IntentStorage = {
    update(name, change) {
      const isNote = ++updates % 2 === 0
      return isNote ? Promise.reject(new IntentStorageError('full')) : inner.update(name, change)
    },
  }
  const { send, keys, sent } = setUp([ok], { storage })
  expect((await send()).status).toBe(201)
  await send()
  expect([updates, sent.length, keys().size]).toEqual([4, 2, 1])
})

test('a clock that was set back by hours: a key that is done is not sent either, which the server may have forgotten', async () => {
  const { send, sent } = setUp([ok])
  await send()
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() - HOUR_MS })
  try {
    await expect(send()).rejects.toThrow(IntentExpiredError)
    expect(sent).toHaveLength(1)
  } finally {
    vi.useRealTimers()
  }
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

test('an error is known by its code in every copy of the package, and names the page that explains it', async () => {
  const { send } = setUp([undefined], { retry: { tries: 1 } })
  const error = await send().catch((error: unknown) => error)
  expect([isIntentError(error), isIntentError(error, 'INTENT_UNREACHABLE')]).toEqual([true, true])
  expect([isIntentError(error, 'INTENT_EXPIRED'), isIntentError(new Error('other')), isIntentError(null)]).toEqual(
    Array(3).fill(false),
  )
  expect(error).toMatchObject({ help: expect.stringMatching(/\/docs\/errors\.md#intent_unreachable$/) })
  vi.resetModules()
  const copy = await import('../src/index.ts')
  expect(copy.isIntentError).not.toBe(isIntentError)
  expect(copy.isIntentError(error, 'INTENT_UNREACHABLE')).toBe(true)
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

test.each([
  ['of another origin names the preflight', 'https://page.example/pay', true],
  ['of the same origin does not', 'https://shop.example/pay', false],
])('the error of a server %s that was never reached', async (_, page, isNamed) => {
  vi.stubGlobal('location', { href: page, origin: new globalThis.URL(page).origin })
  onTestFinished(() => void vi.unstubAllGlobals())
  const { send } = setUp([undefined], { retry: { tries: 2, backoff: { first: 1 } }, header: 'X-Key' })
  const told = String(await send().catch((error: unknown) => error))
  expect(told.includes('CORS') && told.includes('X-Key')).toBe(isNamed)
})

test('a server of another origin that answered once is not said to refuse the preflight', async () => {
  vi.stubGlobal('location', { href: 'https://page.example/', origin: 'https://page.example' })
  onTestFinished(() => void vi.unstubAllGlobals())
  const { send } = setUp([answer(503), undefined], { retry: { tries: 2, backoff: { first: 1 } } })
  await expect(send()).rejects.toThrow(/^No answer in 2 tries\. The same intent may be sent again\.$/)
})

test('docs/errors.md has one heading for each code, and names its class', () => {
  const page = readFileSync(new globalThis.URL('../../../docs/errors.md', import.meta.url), 'utf8')
  const headings = [...page.matchAll(/^## (INTENT_\w+)\n\n`(\w+)`/gm)].map(([, code, name]) => [code, name])
  const classes = Object.values(client).flatMap((value) =>
    typeof value === 'function' && value.prototype instanceof client.IntentError ? [value.name] : [],
  )
  const codeOf = (name: string) =>
    name
      .replace(/Error$/, '')
      .replace(/(?<=[a-z])(?=[A-Z])/g, '_')
      .toUpperCase()
  expect(headings.toSorted()).toEqual(classes.map((name) => [codeOf(name), name]).toSorted())
  expect(headings).toHaveLength(5)
})
