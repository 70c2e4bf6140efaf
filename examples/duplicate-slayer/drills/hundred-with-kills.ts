/**
 * 100 payments in Chromium while the server is killed again and again in the middle of a charge: each is charged exactly
 * once. Several rounds, on a network that loses 40% of the responses and 10% of the requests.
 */
import { browser as findBrowser } from '../../../scripts/browser.mjs'
import { openDemo, readScore, scored, textOf } from '../test/open-demo.ts'

const ROUNDS = 5

const { path: browser } = await findBrowser()
if (browser) await drill(browser)
else console.log('Not tested: there is no Chromium on the PATH.')

async function drill(executablePath: string): Promise<void> {
  const { page, close } = await openDemo(executablePath)
  try {
    for (let round = 1; round <= ROUNDS; round++) {
      await page.click('#clear')
      await scored(page, 0, 0)
      await page.locator('#lost-requests').fill('10')
      await page.click('#hundred')
      let kills = 0
      while (!(await textOf(page, '#said')).startsWith('All 100')) {
        const worker = await textOf(page, '#worker')
        await page.evaluate("fetch('/demo/kill', { method: 'POST' })")
        await page
          .locator(`#worker:not(:text-is("${worker}")), #said:has-text("All 100")`)
          .first()
          .waitFor({ timeout: 120_000 })
        kills++
      }
      await scored(page, 100, 100)
      const { intents, charges } = await readScore(page)
      const takeovers = await textOf(page, '[data-name="retryproof.takeovers"] dd')
      console.log(`Round ${round}: ${kills} kills, ${takeovers} takeovers: ${intents} intents, ${charges} charges`)
    }
  } finally {
    await close()
  }
}
