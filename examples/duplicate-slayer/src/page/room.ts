/** The shop of one visitor: own workers, provider, records and network, and the pages that look at them. */
import { mkdtempSync } from 'node:fs'
import type { ServerResponse } from 'node:http'
import { join } from 'node:path'
import { openBoard } from '../board/board.ts'
import type { Controls, Settings } from '../board/live.ts'
import { badNetwork, type Conditions } from '../network/bad-network.ts'
import type { Way } from '../network/network.ts'
import { openShop, sqliteFile } from '../shop/shop.ts'
import type { StoreServers } from '../shop/store-servers.ts'
import { openSubscribers } from './subscribers.ts'

export interface Room extends Way, Controls {
  /** Sends events on this response until it is closed. */
  subscribe(response: ServerResponse): void
  /** The number of open pages. */
  pages(): number
  close(): Promise<void>
}

export interface RoomOptions {
  readonly folder: string
  readonly visitor: string
  readonly idempotency: boolean
  readonly random: () => number
  readonly servers: StoreServers
}

/** Long enough to see two requests meet. */
const PROVIDER_TAKES_MS = 40

export async function openRoom({ folder, visitor, idempotency, random, servers }: RoomOptions): Promise<Room> {
  const own = mkdtempSync(join(folder, 'visitor-'))
  const first: Conditions = { idempotency, lostResponses: 0.4, lostRequests: 0, dieAt: undefined }
  const conditions = { ...first }
  const subscribers = openSubscribers()
  const { send } = subscribers
  const board = openBoard({ inspect: (key) => shop.inspect(key), send })
  const shop = await openShop({
    folder: own,
    customer: visitor,
    providerTakesMs: PROVIDER_TAKES_MS,
    onMessage: (message) => {
      if ('charged' in message) board.charged(message.charged)
      if ('figures' in message) board.measured(message.figures)
    },
  })
  let store: Settings['store'] = 'sqlite'
  const settings = () => ({ ...conditions, store, stores: servers.choices, worker: shop.worker().pid })
  const tellSettings = () => send('settings', settings())

  async function useStore(wanted: Settings['store']): Promise<void> {
    if (wanted === store || wanted === 'memory') return
    await shop.useStore(wanted, wanted === 'sqlite' ? sqliteFile(own) : await servers.place(wanted))
    store = wanted
    board.clear()
  }

  return {
    carry: badNetwork({ conditions, random, onFlight: board.flight }),
    worker: () => shop.worker().url,
    pages: subscribers.count,

    subscribe: (response) =>
      subscribers.add(response, (greet) => {
        greet('settings', settings())
        board.greet(greet)
      }),

    async change({ store: wanted = store, ...changes }) {
      Object.assign(conditions, changes)
      await useStore(wanted)
      tellSettings()
    },

    async kill() {
      conditions.dieAt = 'after-provider'
      void shop.killWorkerAt('after-provider').then(({ killed, successor }) => {
        send('news', {
          text: `Process ${killed} had charged, and was killed before it could answer. ${successor} took over.`,
        })
        tellSettings()
      })
    },

    async clear() {
      Object.assign(conditions, first)
      await shop.forgetCharges()
      board.clear()
      tellSettings()
    },

    close: () => shop.close(),
  }
}
