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
  /** What a storage says about each of many names, when all tabs ask at the same moment. */
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
  /** How often `online` tried. */
  tries: () => tries,
  async clear(storage: StorageName, intent: string) {
    await createIdempotentFetch({ storage: storages[storage]() }).cancel(intent)
  },
}

export type Lab = typeof lab

Object.assign(globalThis, { lab })
