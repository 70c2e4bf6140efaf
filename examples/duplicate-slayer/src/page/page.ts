/** The demo with its page: shop, network and board, wired together. */

import type { Settings } from '../live.ts'
import { type Conditions, openNetwork } from '../network/network.ts'
import { randomFrom } from '../network/random.ts'
import { openShop, sqliteFile } from '../shop/shop.ts'
import { findStoreServers } from '../shop/store-servers.ts'
import { openBoard } from './board.ts'
import { servePage } from './page-server.ts'
import { openSubscribers } from './subscribers.ts'

export interface PageOptions {
  readonly folder: string
  readonly idempotency: boolean
  readonly seed: number
  /** 0: any free one. */
  readonly port: number
}

/** Long enough to see two requests meet. */
const PROVIDER_TAKES_MS = 40

export async function openPage({ folder, idempotency, seed, port }: PageOptions) {
  const conditions: Conditions = { idempotency, lostResponses: 0.4, lostRequests: 0 }
  const servers = findStoreServers(sqliteFile(folder))
  const subscribers = openSubscribers()
  const { send } = subscribers
  const board = openBoard({ inspect: (key) => shop.inspect(key), send })
  const shop = await openShop({
    folder,
    providerTakesMs: PROVIDER_TAKES_MS,
    onMessage: (message) => {
      if ('charged' in message) board.charged(message.charged)
      if ('figures' in message) board.measured(message.figures)
    },
  })
  let store: Settings['store'] = 'sqlite'
  const settings = () => ({ ...conditions, store, stores: servers.choices, worker: shop.worker().pid })
  const tellSettings = () => send('settings', settings())

  const network = await openNetwork({
    conditions,
    worker: () => shop.worker().url,
    random: randomFrom(seed),
    onFlight: board.flight,
    port,
    pages: await servePage({
      subscribe: (response) =>
        subscribers.add(response, (greet) => {
          greet('settings', settings())
          board.greet(greet)
        }),

      async change({ store: wanted = store, ...changes }) {
        Object.assign(conditions, changes)
        if (wanted !== store) {
          await shop.useStore(wanted, await servers.place(wanted))
          store = wanted
          board.clear()
        }
        tellSettings()
      },

      kill() {
        conditions.dieAt = 'after-provider'
        void shop.killWorkerAt('after-provider').then(({ killed, successor }) => {
          send('news', {
            text: `Process ${killed} had charged, and was killed before it could answer. ${successor} took over.`,
          })
          tellSettings()
        })
      },

      clear: () => board.clear(),
    }),
  })

  return {
    url: network.url,
    async close() {
      await network.close()
      await shop.close()
      await servers.stop()
    },
  }
}
