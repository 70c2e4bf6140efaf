/** Shoppers who press twice, reload, and pay in two tabs, in a real Chromium on a bad network. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BrowserContext, chromium, type Page } from 'playwright-core'
import { flags } from '../../../scripts/browser.mjs'
import { type LossyNetwork, openLossyNetwork } from '../src/lossy-network.ts'
import { servePage } from '../src/serve-page.ts'
import { openShop } from '../src/shop.ts'

export interface Result {
  readonly payments: number
  /** Orders that both tabs show as paid, with the same charge. */
  readonly shownAsPaid: number
  readonly charges: number
  /** Orders that were charged more or less often than once. */
  readonly wronglyCharged: readonly string[]
  readonly lost: LossyNetwork['lost']
}

interface Visit {
  readonly payments: number
  readonly executablePath: string
  /** Pairs of tabs that shop at the same time. @default 2 */
  readonly shoppers?: number
  /** Where to take pictures. */
  readonly pictures?: string
  onPaid?(order: number): void
}

/** 10 % of requests and 40 % of answers are lost. */
const LOSSES = { loseRequests: 0.1, loseResponses: 0.4 }

export async function goShopping({ payments, executablePath, shoppers = 2, pictures, onPaid }: Visit): Promise<Result> {
  const folder = mkdtempSync(join(tmpdir(), 'retryproof-checkout-'))
  const shop = await openShop(join(folder, 'shop.db'))
  await servePage(shop.app)
  const network = await openLossyNetwork(shop.app, LOSSES)
  const context = await chromium.launchPersistentContext(join(folder, 'profile'), { executablePath, args: [...flags] })
  try {
    const orders = Array.from({ length: payments }, (_, index) => index + 1)
    let shownAsPaid = 0
    const shopOn = async (tabs: readonly [Page, Page]) => {
      for (let order = orders.shift(); order !== undefined; order = orders.shift()) {
        const picture = pictures && order % 50 === 1 ? join(pictures, `order-${order}`) : undefined
        const [first, second] = await payInTwoTabs(tabs, `${network.url}/?order=${order}`, order, picture)
        if (first === second && first !== '') shownAsPaid++
        onPaid?.(order)
      }
    }
    await Promise.all(Array.from({ length: shoppers }, async () => shopOn(await twoTabs(context))))

    const charged = new Map<string, number>()
    for (const { order } of shop.charges()) charged.set(order, (charged.get(order) ?? 0) + 1)
    const all = Array.from({ length: payments }, (_, index) => String(index + 1))
    return {
      payments,
      shownAsPaid,
      charges: shop.charges().length,
      wronglyCharged: all.filter((order) => charged.get(order) !== 1),
      lost: network.lost,
    }
  } finally {
    await context.close()
    await network.close()
    shop.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

async function twoTabs(context: BrowserContext): Promise<[Page, Page]> {
  return [await context.newPage(), await context.newPage()]
}

/** A double click; on every second order a reload in the middle, on every fourth another page and back; the second tab clicks at the same time, or when the first has succeeded. */
async function payInTwoTabs([first, second]: readonly [Page, Page], url: string, order: number, picture?: string) {
  await Promise.all([first.goto(url), second.goto(url)])
  await Promise.all([first.dblclick('#pay'), order % 2 === 0 && second.dblclick('#pay')])
  if (picture) await first.screenshot({ path: `${picture}-paying.png` })
  if (order % 4 < 2) await first.reload()
  else if (order % 8 < 4) {
    await first.goto(`${url}-elsewhere`)
    await first.goBack()
  }
  const charge = await paid(first)
  if (order % 2 === 1) await second.click('#pay')
  const again = await paid(second)
  if (picture) await second.screenshot({ path: `${picture}-paid.png` })
  return [charge, again] as const
}

/** The text that says which charge it was. */
async function paid(page: Page): Promise<string> {
  const output = page.locator('#state[data-state="paid"]')
  await output.waitFor({ timeout: 60_000 })
  return (await output.textContent()) ?? ''
}
