/** 200 payments in a real Chromium on one origin, and 200 on two, with 10 % of requests and 40 % of answers lost. */
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { browser } from '../../../scripts/browser.mjs'
import { goShopping } from '../test/shoppers.ts'

const PAYMENTS = Number(process.env.PAYMENTS ?? 200)
const { path, missing } = await browser()
if (path === undefined) {
  console.log(`Not tested: ${missing}`)
} else {
  const oks = [await shop(path, false), await shop(path, true)]
  process.exitCode = oks.every(Boolean) ? 0 : 1
}

async function shop(executablePath: string, apart: boolean): Promise<boolean> {
  const where = apart ? 'two origins, `cors()` without exposed headers' : 'one origin'
  const pictures = mkdtempSync(join(tmpdir(), 'retryproof-checkout-pictures-'))
  const startedAt = Date.now()
  let done = 0
  const onDone = () => ++done % 20 === 0 && console.log(`${where}: ${done} of ${PAYMENTS}`)
  const result = await goShopping({ payments: PAYMENTS, executablePath, apart, pictures, onDone })
  const { payments, declined, charges, shownRight, wronglyShown, wronglyCharged, lost } = result
  const seconds = Math.round((Date.now() - startedAt) / 1000)
  console.log(
    `${where}: ${payments} payments, ${declined} declined, ${charges} charges, ${shownRight} shown right in both tabs`,
  )
  console.log(`${lost.requests} requests and ${lost.responses} answers were lost (${seconds} s). Pictures: ${pictures}`)
  if (wronglyCharged.length > 0) console.log(`Not charged as they should be: orders ${wronglyCharged.join(', ')}`)
  if (wronglyShown.length > 0) console.log(`Declined, and shown as paid: orders ${wronglyShown.join(', ')}`)
  return charges === payments - declined && shownRight === payments && wronglyCharged.length + wronglyShown.length === 0
}
