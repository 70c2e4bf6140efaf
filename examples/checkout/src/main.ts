/** `pnpm start`: the checkout on a network that loses half of what it carries. */
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openLossyNetwork } from './lossy-network.ts'
import { servePage } from './serve-page.ts'
import { openShop } from './shop.ts'

const shop = await openShop(join(mkdtempSync(join(tmpdir(), 'retryproof-checkout-')), 'shop.db'))
await servePage(shop.app)
const { url } = await openLossyNetwork(shop.app, { loseRequests: 0.1, loseResponses: 0.4 })
console.log(`${url}/?order=1: press Pay as often as you like, reload, open it in a second tab.`)
