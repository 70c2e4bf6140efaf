import { expect, test } from 'vitest'
import { browser } from '../../../scripts/browser.mjs'
import { goShopping } from './shoppers.ts'

const chromium = await browser()
const lacks = chromium.missing ? ` (not tested: ${chromium.missing})` : ''

test.skipIf(chromium.missing !== undefined).each([
  ['on one origin', false],
  ['on two origins, with `cors()` as everybody writes it', true],
])(
  `in Chromium, page and shop %s: every payment is charged once and shown as what it is${lacks}`,
  { timeout: 120_000 },
  async (_, apart) => {
    const { lost, ...result } = await goShopping({ payments: 10, executablePath: chromium.path ?? '', apart })
    expect(result).toEqual({
      payments: 10,
      declined: 1,
      charges: 9,
      shownRight: 10,
      wronglyShown: [],
      wronglyCharged: [],
    })
    // without losses this would show nothing
    expect(lost.responses).toBeGreaterThan(0)
  },
)
