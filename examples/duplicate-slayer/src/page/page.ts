/** The demo with its page: a network in front, and a room for each visitor. */
import { openNetwork } from '../network/network.ts'
import { randomFrom } from '../network/random.ts'
import { findStoreServers } from '../shop/store-servers.ts'
import { servePage } from './page-server.ts'
import { openRoom } from './room.ts'
import { openVisitors } from './visitors.ts'

export interface PageOptions {
  readonly folder: string
  readonly idempotency: boolean
  readonly seed: number
  /** 0: any free one. */
  readonly port: number
}

export async function openPage({ folder, idempotency, seed, port }: PageOptions) {
  const servers = findStoreServers()
  const visitors = openVisitors((visitor) =>
    openRoom({ folder, visitor, idempotency, random: randomFrom(seed), servers }),
  )
  const network = await openNetwork({ route: await servePage(visitors), port })
  return {
    url: network.url,
    async close() {
      await network.close()
      await visitors.close()
      await servers.stop()
    },
  }
}
