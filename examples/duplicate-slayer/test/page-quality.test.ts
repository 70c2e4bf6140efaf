import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { browser as findBrowser } from '../../../scripts/browser.mjs'
import { type OpenDemo, openDemo, said, scored, textOf, violations } from './open-demo.ts'

const { path: browser } = await findBrowser()
/** A second is what people should wait; a busy machine may take longer. */
const FIRST_PAINT_BOUND_MS = 3000

describe.skipIf(!browser)(
  'the page for everybody, in Chromium (skipped where there is none)',
  { timeout: 60_000 },
  () => {
    let demo: OpenDemo
    beforeAll(async () => {
      demo = await openDemo(browser ?? '')
    }, 60_000)
    afterAll(() => demo?.close())

    test('paints soon', async () => {
      const paintedMs = await demo.page.evaluate<number>(`new Promise((resolve) => {
      const found = (list) => list.getEntriesByName('first-contentful-paint').forEach(({ startTime }) => resolve(startTime))
      new PerformanceObserver(found).observe({ type: 'paint', buffered: true })
    })`)
      console.log(`First contentful paint: ${Math.round(paintedMs)} ms`)
      expect(paintedMs).toBeLessThan(FIRST_PAINT_BOUND_MS)
    })

    test('works by keyboard alone', async () => {
      const { page } = demo
      const focused = () => page.evaluate<string>('document.activeElement.id')
      await page.locator('#idempotency[aria-checked="true"]').waitFor()
      const reachedFirst: string[] = []
      while (!reachedFirst.includes('pay')) {
        await page.keyboard.press('Tab')
        reachedFirst.push(await focused())
      }
      const steps = ['', '', '', '', '']
      expect(reachedFirst).toEqual(['', 'tour-next', ...steps, 'pay'])
      await page.keyboard.press('Enter')
      await said(page, /^Order \w+: charge \d+/)
      await scored(page, 1, 1)
      const reached: string[] = []
      for (let i = 0; i < 12; i++) {
        await page.keyboard.press('Tab')
        reached.push(await focused())
      }
      expect(reached).toEqual(
        expect.arrayContaining([
          'hundred',
          'double-click',
          'kill',
          'tamper',
          'reload',
          'lost-responses',
          'store',
          'idempotency',
          'clear',
        ]),
      )
      await page.locator('#idempotency').focus()
      await page.keyboard.press('Space')
      await page.locator('#idempotency[aria-checked="false"]').waitFor()
      await page.keyboard.press('Space')
      await page.locator('#idempotency[aria-checked="true"]').waitFor()
      await page.locator('#lost-responses').focus()
      await page.keyboard.press('ArrowRight')
      expect(await textOf(page, '#lost-responses-shown')).toBe('45%')
    })

    test('the tour begins by itself, and both lanes end as they must', async () => {
      const { page } = demo
      await page.locator('#tour-with li.good', { hasText: 'answers from its record' }).waitFor()
      await page.locator('#tour-without li.bad', { hasText: 'Charged €84' }).waitFor()
      expect(await textOf(page, '#tour-with-total')).toBe('€42')
      expect(await textOf(page, '#tour-without-total')).toBe('€84')
    })

    test('screen readers are told what came out', async () => {
      await demo.page.locator('#announcement', { hasText: 'Payments wanted: 1. Charges made: 1.' }).waitFor()
      expect(await demo.page.locator('#announcement').getAttribute('role')).toBe('status')
    })

    const looks = [
      ['light', 1280, 900],
      ['dark', 1280, 900],
      ['light', 390, 844],
      ['dark', 390, 844],
    ] as const
    test.each(looks)('axe finds nothing: %s, %i × %i', async (colorScheme, width, height) => {
      const { page } = demo
      expect(await violations(page, colorScheme, width, height)).toEqual([])
      const overflows = await page.evaluate<string[]>(`[...document.querySelectorAll('main > * > *, tr')]
      .filter((part) => part.getBoundingClientRect().right > part.closest('section').getBoundingClientRect().right - 8)
      .map(({ outerHTML }) => outerHTML.slice(0, 80))`)
      expect(overflows, 'sticks out of its card').toEqual([])
    })

    test('nothing but the bad network complains', () => {
      expect(demo.complaints).toEqual([])
    })
  },
)
