import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { browser as findBrowser } from '../../../scripts/browser.mjs'
import { type OpenDemo, openDemo, openInBrowser, readScore, said, scored, textOf } from './open-demo.ts'

const { path: browser } = await findBrowser()

describe.skipIf(!browser)(
  'the page, in Chromium (skipped where there is none on the PATH)',
  { timeout: 60_000 },
  () => {
    let demo: OpenDemo
    beforeAll(async () => {
      demo = await openDemo(browser ?? '')
    }, 60_000)
    afterAll(() => demo?.close())
    beforeEach(async () => {
      await setIdempotency(true)
      await demo.page.click('#clear')
      await scored(demo.page, 0, 0)
    })

    async function setIdempotency(on: boolean): Promise<void> {
      const toggle = demo.page.locator('#idempotency')
      if ((await toggle.getAttribute('aria-checked')) !== String(on)) await toggle.click()
      await demo.page.locator(`#idempotency[aria-checked="${on}"]`).waitFor()
    }

    test('100 payments with idempotency: exactly 100 charges', async () => {
      await demo.page.click('#hundred')
      await said(demo.page, /All 100 payments/)
      await scored(demo.page, 100, 100)
      await demo.page.locator('#verdict:text-is("Each charged exactly once")').waitFor()
    })

    test('100 payments without: more charges than payments', async () => {
      await setIdempotency(false)
      await demo.page.click('#hundred')
      await said(demo.page, /All 100 payments/)
      await demo.page.locator('#intents:text-is("100")').waitFor()
      const { charges } = await readScore(demo.page)
      expect(charges).toBeGreaterThan(110)
      expect(await textOf(demo.page, '#verdict')).toMatch(/charged more than once/)
      console.log(`100 payments without idempotency: ${charges} charges`)
    })

    test('a server that is killed after it charged: recovered by a second attempt, charged once', async () => {
      const before = await textOf(demo.page, '#worker')
      await demo.page.click('#kill')
      await said(demo.page, /^Order \w+: charge \d+/)
      await scored(demo.page, 1, 1)
      await demo.page.locator('#rows tr', { hasText: /completed\s+attempt 2/ }).waitFor()
      expect(await textOf(demo.page, '#worker'), 'another process').not.toBe(before)
      await demo.page.locator('[data-name="retryproof.takeovers"] dd:text-is("1")').waitFor({ state: 'attached' })
    })

    test('the same kill without idempotency charges twice', async () => {
      await setIdempotency(false)
      await demo.page.click('#kill')
      await said(demo.page, /^Order \w+: charge \d+/)
      await demo.page.locator('#rows .wrong').waitFor()
      expect((await readScore(demo.page)).charges).toBeGreaterThan(1)
    })

    test('a double click pays once', async () => {
      await demo.page.click('#double-click')
      await said(demo.page, /^Order \w+: charge \d+/)
      await scored(demo.page, 1, 1)
    })

    test('two tabs that pay the same order pay once', async () => {
      const other = await demo.context.newPage()
      await other.goto(demo.url)
      expect(await textOf(other, '#order')).toBe(await textOf(demo.page, '#order'))
      await Promise.all([demo.page.click('#pay'), other.click('#pay')])
      const answers = await Promise.all([demo.page, other].map((page) => said(page, /^Order \w+: charge \d+/)))
      await scored(demo.page, 1, 1)
      expect(new Set(answers.map((answer) => /charge \d+/.exec(answer)?.[0])).size).toBe(1)
      await other.close()
    })

    test('another visitor sees nothing of it, and changes nothing', async () => {
      const other = await openInBrowser(browser ?? '', demo.url)
      await demo.page.click('#pay')
      await said(demo.page, /^Order \w+: charge 1\b/)
      await other.page.locator('#idempotency').click()
      await other.page.locator('#idempotency[aria-checked="false"]').waitFor()
      await other.page.click('#double-click')
      await said(other.page, /^Order \w+: charges .* paid twice/)
      await scored(demo.page, 1, 1)
      expect(await demo.page.locator('#idempotency').getAttribute('aria-checked')).toBe('true')
      expect(await textOf(other.page, '#worker')).not.toBe(await textOf(demo.page, '#worker'))
      await other.close()
    })

    test('a page without a cookie of the demo pays nothing', async () => {
      const answer = await fetch(`${demo.url}/charges`, { method: 'POST', body: '{"order":"X","amount":1}' })
      expect(answer.status).toBe(403)
    })

    test('a reload in the middle goes on with the same payment', async () => {
      const order = await textOf(demo.page, '#order')
      const reloaded = demo.page.waitForEvent('framenavigated')
      await demo.page.click('#reload')
      await reloaded
      expect(await said(demo.page, /: charge \d+/)).toContain(order)
      await scored(demo.page, 1, 1)
    })

    test('another amount under the same key is refused with 422', async () => {
      await demo.page.click('#tamper')
      expect(await said(demo.page, /Nothing was charged|charged again/)).toContain('422')
      await scored(demo.page, 1, 1)
    })

    test('nothing but the bad network complains', () => {
      expect(demo.complaints).toEqual([])
    })
  },
)
