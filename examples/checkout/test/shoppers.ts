/** Shoppers who press twice, reload, and pay in two tabs, in a real Chromium on a bad network. */
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import express from 'express'
import { type BrowserContext, chromium, type Page } from 'playwright-core'
import { flags } from '../../../scripts/browser.mjs'
import { listen } from '../src/listen.ts'
import { type LossyNetwork, openLossyNetwork } from '../src/lossy-network.ts'
import { servePage } from '../src/serve-page.ts'
import { isDeclined, openShop } from '../src/shop.ts'

export interface Result {
  readonly payments: number
  /** Orders that the bank declines. */
  readonly declined: number
  readonly charges: number
  /** Orders that both tabs show as what they are: paid with the same charge, or declined. */
  readonly shownRight: number
  /** Declined orders that a tab shows as paid. */
  readonly wronglyShown: readonly number[]
  /** Orders that were charged more or less often than they should be. */
  readonly wronglyCharged: readonly number[]
  readonly lost: LossyNetwork['lost']
}

interface Visit {
  readonly payments: number
  readonly executablePath: string
  /** The page and the shop on two origins. @default false */
  readonly apart?: boolean
  /** Pairs of tabs that shop at the same time. @default 2 */
  readonly shoppers?: number
  /** The folder of the pictures. */
  readonly pictures?: string
  onDone?(order: number): void
}

/** 10 % of requests and 40 % of answers are lost. */
const LOSSES = { loseRequests: 0.1, loseResponses: 0.4 }

export async function goShopping(visit: Visit): Promise<Result> {
  const { payments, executablePath, apart = false, shoppers = 2, pictures, onDone } = visit
  const folder = mkdtempSync(join(tmpdir(), 'retryproof-checkout-'))
  const shop = await openShop(join(folder, 'shop.db'))
  const network = await openLossyNetwork(shop.app, LOSSES)
  const site = apart ? express() : shop.app
  await servePage(site)
  const page = apart ? await listen(createServer(site)) : network
  const context = await chromium.launchPersistentContext(join(folder, 'profile'), { executablePath, args: [...flags] })
  const all = Array.from({ length: payments }, (_, index) => index + 1)
  const wronglyShown: number[] = []
  let shownRight = 0
  try {
    const orders = [...all]
    const shopOn = async (tabs: readonly [Page, Page]) => {
      for (let order = orders.shift(); order !== undefined; order = orders.shift()) {
        const picture = pictures && order % 50 === 1 ? join(pictures, `order-${order}`) : undefined
        const url = `${page.url}/?order=${order}${apart ? `&shop=${network.url}` : ''}`
        const [first, second] = await payInTwoTabs(tabs, url, order, picture)
        const right = isDeclined(order) ? 'declined' : 'paid'
        if (first.text === second.text && first.state === right && second.state === right) shownRight++
        if (isDeclined(order) && [first, second].some(({ state }) => state === 'paid')) wronglyShown.push(order)
        onDone?.(order)
      }
    }
    await Promise.all(Array.from({ length: shoppers }, async () => shopOn(await twoTabs(context))))

    const charged = new Map<number, number>()
    for (const { order } of shop.charges()) charged.set(Number(order), (charged.get(Number(order)) ?? 0) + 1)
    return {
      payments,
      declined: all.filter(isDeclined).length,
      charges: shop.charges().length,
      shownRight,
      wronglyShown,
      wronglyCharged: all.filter((order) => (charged.get(order) ?? 0) !== (isDeclined(order) ? 0 : 1)),
      lost: network.lost,
    }
  } finally {
    await context.close()
    if (apart) await page.close()
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
  const shown = await outcome(first)
  if (order % 2 === 1) await second.click('#pay')
  const again = await outcome(second)
  if (picture) await second.screenshot({ path: `${picture}-paid.png` })
  return [shown, again] as const
}

/** The last state of the page, and the text that names the charge. */
async function outcome(page: Page) {
  const output = page.locator('#state:is([data-state="paid"], [data-state="declined"])')
  await output.waitFor({ timeout: 60_000 })
  return { state: await output.getAttribute('data-state'), text: await output.textContent() }
}
