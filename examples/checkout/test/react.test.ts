/** `useIdempotentFetch` in a real React (strict mode), in a real browser. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { browser } from '../../../scripts/browser.mjs'
import type { Hook } from '../page/hook.ts'
import { type OpenLab, openLab } from './open-lab.ts'

declare const hook: Hook

const chromium = await browser()
const lacks = chromium.missing === undefined ? '' : ` (not tested: ${chromium.missing})`

describe.skipIf(lacks !== '')(`in Chromium${lacks}`, { timeout: 60_000 }, () => {
  let opened: OpenLab
  beforeAll(async () => {
    opened = await openLab(chromium.path ?? '', 'hook')
  }, 60_000)
  afterAll(() => opened.close())

  test('shows what comes of an intent; a component that comes back goes on with its key; cancel begins anew', async () => {
    const page = await opened.tab()
    const keys = () => page.evaluate(() => hook.keys())
    const state = () => page.textContent('#state')
    const answer = (index: number, status: number) =>
      page.evaluate((given: readonly [number, number]) => hook.answer(...given), [index, status] as const)
    await expect.poll(state).toBe('nothing')

    await page.click('#pay')
    await expect.poll(state).toBe('pending')
    await expect.poll(async () => (await keys()).length).toBe(1)
    await page.click('#toggle')
    await expect.poll(() => page.evaluate(() => hook.isAborted(0))).toBe(true)
    await page.click('#toggle')
    await expect.poll(state).toBe('nothing')

    await page.click('#pay')
    await expect.poll(async () => (await keys()).length).toBe(2)
    await answer(1, 201)
    await expect.poll(state).toBe('201')
    const [first, second] = await keys()
    expect(second).toBe(first)

    await page.click('#cancel')
    await expect.poll(state).toBe('nothing')
    await page.click('#pay')
    await expect.poll(async () => (await keys()).length).toBe(3)
    expect((await keys())[2]).not.toBe(first)
    await answer(2, 422)
    await expect.poll(state).toBe('422')
  })
})
