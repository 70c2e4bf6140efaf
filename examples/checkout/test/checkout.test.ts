import { expect, test } from 'vitest'
import { browser } from '../../../scripts/browser.mjs'
import { goShopping } from './shoppers.ts'

const chromium = await browser()

test.skipIf(chromium.missing !== undefined)(
  `in Chromium every payment is charged once and shown as paid${chromium.missing ? ` (not tested: ${chromium.missing})` : ''}`,
  { timeout: 120_000 },
  async () => {
    const { shownAsPaid, charges, wronglyCharged, lost } = await goShopping({
      payments: 8,
      executablePath: chromium.path ?? '',
    })
    expect(wronglyCharged).toEqual([])
    expect({ shownAsPaid, charges }).toEqual({ shownAsPaid: 8, charges: 8 })
    // without losses this would show nothing
    expect(lost.responses).toBeGreaterThan(0)
  },
)
