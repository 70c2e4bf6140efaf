/** Puts the client into a page's hands, for tests of what a browser keeps. */
import {
  cookieStorage,
  createIdempotentFetch,
  type FetchOptions,
  type IntentStorage,
  memoryStorage,
  urlStorage,
  webStorage,
} from '@retryproof/client'
import { indexedDbStorage } from '@retryproof/client/indexed-db'

export type StorageName = 'memory' | 'local' | 'session' | 'indexedDb' | 'cookie' | 'url'

const storages: Record<StorageName, () => IntentStorage> = {
  memory: memoryStorage,
  local: () => webStorage(() => localStorage),
  session: () => webStorage(() => sessionStorage),
  indexedDb: () => indexedDbStorage(),
  cookie: () => cookieStorage(),
  url: urlStorage,
}

/** Between two rounds of a race: each is over when the next begins, so that all begin together. */
const SLOT_MS = 8

let tries = 0

const lab = {
  /** Sends with the key of an intent: which key, or the code of the error. `sent` counts what left. */
  async send(storage: StorageName, intent: string, body = 'body', options: FetchOptions = {}) {
    let sent = 0
    const keys = new Set<string>()
    const client = createIdempotentFetch({
      storage: storages[storage](),
      ...options,
      fetch: async (input, init) => {
        sent++
        keys.add(new Request(input, init).headers.get('Idempotency-Key') ?? '')
        return new Response('{}', { status: 201 })
      },
    })
    try {
      await client.fetch('/anything', { intent, body })
      return { key: [...keys].join(), sent }
    } catch (error) {
      return { code: (error as { code?: string }).code ?? String(error), sent }
    }
  },
  /** Asks a storage about each of many names, at the same moment in all tabs. */
  async race(storage: StorageName, rounds: number, startAt: number, name: string) {
    const opened = storages[storage]()
    const said: (string | null)[] = []
    for (let round = 0; round < rounds; round++) {
      const slot = startAt + round * SLOT_MS
      await new Promise((resolve) => setTimeout(resolve, slot - Date.now()))
      said.push(await opened.update(`${name} ${round}`, (current) => current ?? crypto.randomUUID()))
    }
    return said
  },
  /** Sends every kind of request for real, twice: the statuses, and how many keys each kind had. */
  async requests() {
    const keys: string[] = []
    const client = createIdempotentFetch({
      storage: memoryStorage(),
      fetch: (request) => {
        keys.push((request as Request).headers.get('Idempotency-Key') ?? '')
        return fetch(request)
      },
    })
    const form = () => {
      const data = new FormData()
      data.set('amount', '100')
      data.set('receipt', new File(['bytes'], 'receipt.pdf'))
      return data
    }
    const kinds: Record<string, () => [string | URL | Request, RequestInit?]> = {
      text: () => ['/anything', { body: 'a' }],
      nothing: () => [new URL('/anything', location.href)],
      blob: () => ['/anything', { body: new Blob(['a'], { type: 'text/x-a' }) }],
      parameters: () => ['/anything', { body: new URLSearchParams({ a: '1' }) }],
      form: () => ['/anything', { body: form() }],
      request: () => [new Request('/anything', { method: 'PUT', body: 'a' })],
      'request of a form': () => [new Request('/anything', { method: 'POST', body: form() })],
      'request without a body': () => [new Request('/anything')],
      'request with an empty body': () => [new Request('/anything', { method: 'POST', body: '' })],
      'request with another body': () => [new Request('/anything', { method: 'POST', body: 'a' }), { body: 'b' }],
      keepalive: () => ['/anything', { body: 'a', keepalive: true, credentials: 'include' }],
    }
    const seen: Record<string, string> = {}
    for (const [kind, make] of Object.entries(kinds)) {
      keys.length = 0
      const statuses: number[] = []
      for (const [input, init] of [make(), make()]) {
        statuses.push((await client.fetch(input, { ...init, intent: kind })).status)
      }
      seen[kind] = `${statuses} ${new Set(keys).size}`
    }
    return seen
  },
  /** The code of the error that an unsendable request meets. */
  async refused(mode: RequestMode) {
    const client = createIdempotentFetch({ storage: memoryStorage() })
    return client.fetch('/anything', { intent: 'refused', body: 'a', mode }).then(
      ({ status }) => String(status),
      (error: { code?: string }) => error.code,
    )
  },
  /** Asks the server for real, by way of the network that there is. */
  async online(intent: string) {
    const keys = new Set<string>()
    const client = createIdempotentFetch({
      fetch: async (input, init) => {
        tries++
        const request = new Request(input, init)
        keys.add(request.headers.get('Idempotency-Key') ?? '')
        return fetch(request)
      },
    })
    const { status } = await client.fetch('/anything', { intent, body: 'body' })
    return { status, keys: keys.size }
  },
  /** The number of tries of `online`. */
  tries: () => tries,
  async clear(storage: StorageName, intent: string) {
    await createIdempotentFetch({ storage: storages[storage]() }).cancel(intent)
  },
}

export type Lab = typeof lab

Object.assign(globalThis, { lab })
