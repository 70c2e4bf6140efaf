/** A shop inside the page: provider, network, workers and the memory store, so that the page plays without a server. */
import { memoryStore } from '@retryproof/memory'
import { openBoard } from '../../src/board/board.ts'
import type { LiveEvents, Send } from '../../src/board/live.ts'
import { startMeter } from '../../src/board/meter.ts'
import { badNetwork, type Conditions, keyIn, orderIn } from '../../src/network/bad-network.ts'
import { randomFrom } from '../../src/network/random.ts'
import type { Backend, Listeners } from './backend.ts'
import { startPageWorker } from './page-worker.ts'

const PROVIDER_TAKES_MS = 40
const first: Conditions = { idempotency: true, lostResponses: 0.4, lostRequests: 0, dieAt: undefined }

export function pageBackend(seed: number): Backend {
  let listeners: Listeners | undefined
  const send: Send = (name, data) => (listeners?.[name] as ((data: unknown) => void) | undefined)?.(data)
  const conditions = { ...first }
  const store = memoryStore()
  const board = openBoard({ inspect: (key) => worker.inspect(key), send })
  const meter = startMeter((figures) => board.measured(figures))
  const carry = badNetwork({ conditions, random: randomFrom(seed), onFlight: board.flight })
  let books = openBooks((order) => board.charged(order))
  let number = 0
  let worker = startWorker()

  function startWorker() {
    number++
    return startPageWorker({ store, meter, charge: (order, key) => books(order, key), onKilled: replaceWorker })
  }

  function replaceWorker(): void {
    const killed = number
    worker = startWorker()
    send('news', {
      text: `Server ${killed} had charged, and was killed before it could answer. Server ${number} took over.`,
    })
    send('settings', settings())
  }

  function settings(): LiveEvents['settings'] {
    const stores = [{ name: 'memory' as const, title: 'Memory' }]
    return { ...conditions, store: 'memory', stores, worker: number }
  }

  return {
    charges: 'https://shop.example/charges',
    outlivesPage: false,

    async fetch(input, init) {
      const request = new Request(input, init)
      const body = await request.clone().text()
      const key = keyIn(request.headers.get('Idempotency-Key'))
      const got = await carry({ key, order: orderIn(body) }, async (route) => {
        const response = await worker.handle(request, route)
        return { response, status: response.status, replayed: response.headers.has('Idempotency-Replayed') }
      })
      if (!got) throw new TypeError('The network lost the request or its answer.')
      return got.response
    },

    connect(all) {
      listeners = all
      send('settings', settings())
      board.greet(send)
    },

    async change({ store: _onlyOne, ...changes }) {
      Object.assign(conditions, changes)
      send('settings', settings())
    },

    async kill() {
      conditions.dieAt = 'after-provider'
    },

    async clear() {
      Object.assign(conditions, first)
      books = openBooks((order) => board.charged(order))
      board.clear()
      send('settings', settings())
    },
  }
}

/** The provider: as real ones do, it charges once for each key that it is given, and for every request without one. */
function openBooks(onCharge: (order: string) => void): (order: string, key: string | undefined) => Promise<number> {
  const byKey = new Map<string, number>()
  let charges = 0
  return async (order, key) => {
    await new Promise((resolve) => setTimeout(resolve, PROVIDER_TAKES_MS))
    const known = key === undefined ? undefined : byKey.get(key)
    if (known !== undefined) return known
    charges++
    if (key !== undefined) byKey.set(key, charges)
    onCharge(order)
    return charges
  }
}
