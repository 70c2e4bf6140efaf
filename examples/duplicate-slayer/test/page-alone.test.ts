import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { browser as findBrowser } from '../../../scripts/browser.mjs'
import { type OpenPage, openInBrowser, readScore, said, scored, textOf, violations } from './open-demo.ts'

const { path: browser } = await findBrowser()
const example = fileURLToPath(new URL('..', import.meta.url))

describe.skipIf(!browser)(
  'the page as a folder of files, in Chromium without any server (skipped where there is none)',
  { timeout: 60_000 },
  () => {
    const folder = mkdtempSync(join(tmpdir(), 'demo-folder-'))
    let opened: OpenPage
    beforeAll(async () => {
      const build = ['--import', 'tsx', 'src/static-folder.ts', folder]
      const { status, stderr } = spawnSync(process.execPath, build, { cwd: example, encoding: 'utf8' })
      expect(status, stderr).toBe(0)
      opened = await openInBrowser(browser ?? '', pathToFileURL(join(folder, 'index.html')).href)
    }, 60_000)
    afterAll(async () => {
      await opened?.close()
      rmSync(folder, { recursive: true, force: true })
    })
    beforeEach(async () => {
      await opened.page.click('#clear')
      await scored(opened.page, 0, 0)
    })

    test('is three files', () => {
      expect(readdirSync(folder).sort()).toEqual(['index.html', 'main.js', 'style.css'])
    })

    test('five clicks show five failures, and lead to the shop', async () => {
      const { page } = opened
      await page.emulateMedia({ reducedMotion: 'reduce' })
      const sums: (readonly string[])[] = []
      const ends = ['Charged €84', 'Charged €84', 'Charged €84', 'Charged €43', 'charges for 100']
      await page.locator('#tour-steps li:nth-child(1) button').click()
      for (const end of ends) {
        await page.locator('#tour-without li.bad', { hasText: end }).waitFor()
        await page.locator('#tour-with li.good:last-child', { hasText: /^(Charged once|100 charges)/ }).waitFor()
        sums.push(await Promise.all(['#tour-without-total', '#tour-with-total'].map((sum) => textOf(page, sum))))
        await page.click('#tour-next')
      }
      expect(sums.slice(0, 4)).toEqual([
        ['€84', '€42'],
        ['€84', '€42'],
        ['€84', '€42'],
        ['€43', '€42'],
      ])
      expect(sums[4]?.[1]).toBe('€4,200')
      expect(await page.evaluate('document.activeElement.id')).toBe('pay')
    })

    test('100 payments: 100 charges with Retryproof, more without', async () => {
      const { page } = opened
      await page.click('#hundred')
      await said(page, /All 100 payments/)
      await scored(page, 100, 100)
      await page.locator('#verdict:text-is("Each charged exactly once")').waitFor()
      await page.click('#clear')
      await page.click('#idempotency')
      await page.click('#hundred')
      await said(page, /All 100 payments/)
      await page.locator('#verdict', { hasText: 'charged more than once' }).waitFor()
      expect((await readScore(page)).charges).toBeGreaterThan(110)
    })

    test('a server that is killed after it charged is taken over, and charges once', async () => {
      const { page } = opened
      await page.click('#kill')
      await said(page, /^Order \w+: charge \d+/)
      await scored(page, 1, 1)
      expect(await textOf(page, '#rows tr')).toMatch(/completed\s+attempt 2/)
      expect(await textOf(page, '#worker')).toBe('#2')
      await page.locator('[data-name="retryproof.takeovers"] dd:text-is("1")').waitFor({ state: 'attached' })
    })

    test('another amount under the same key is refused with 422', async () => {
      await opened.page.click('#tamper')
      expect(await said(opened.page, /Nothing was charged|charged again/)).toContain('422')
    })

    test.each([
      ['light', 1280],
      ['dark', 390],
    ] as const)('axe finds nothing: %s, %i wide', async (colorScheme, width) => {
      expect(await violations(opened.page, colorScheme, width, 844)).toEqual([])
    })

    test('nothing complains', () => {
      expect(opened.complaints).toEqual([])
    })
  },
)
