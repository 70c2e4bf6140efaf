/** 200 payments in a real Chromium, with 10 % of requests and 40 % of answers lost. */
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
  const pictures = mkdtempSync(join(tmpdir(), 'retryproof-checkout-pictures-'))
  const startedAt = Date.now()
  let done = 0
  const result = await goShopping({
    payments: PAYMENTS,
    executablePath: path,
    pictures,
    onPaid: () => ++done % 20 === 0 && console.log(`${done} of ${PAYMENTS}`),
  })
  const { payments, charges, shownAsPaid, wronglyCharged, lost } = result
  const seconds = Math.round((Date.now() - startedAt) / 1000)
  console.log(`${payments} payments, ${charges} charges, ${shownAsPaid} shown as paid in both tabs (${seconds} s)`)
  console.log(`${lost.requests} requests and ${lost.responses} answers were lost. Pictures: ${pictures}`)
  if (wronglyCharged.length > 0) console.log(`Not charged once: orders ${wronglyCharged.join(', ')}`)
  process.exitCode = charges === payments && shownAsPaid === payments && wronglyCharged.length === 0 ? 0 : 1
}
