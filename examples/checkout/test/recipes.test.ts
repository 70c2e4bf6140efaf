/** The recipes of docs/clients.md for React libraries, in a real browser. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { browser } from '../../../scripts/browser.mjs'
import type { Recipes } from '../page/recipes.ts'
import { type OpenLab, openLab } from './open-lab.ts'

declare const recipes: Recipes

const chromium = await browser()
const lacks = chromium.missing === undefined ? '' : ` (not tested: ${chromium.missing})`

describe.skipIf(lacks !== '')(`in Chromium${lacks}`, { timeout: 60_000 }, () => {
  let opened: OpenLab
  beforeAll(async () => {
    opened = await openLab(chromium.path ?? '', 'recipes')
  }, 60_000)
  afterAll(() => opened.close())

  test.each(['tanstack', 'swr'])('%s: a double click whose answers are lost has one key', async (id) => {
    const page = await opened.tab()
    await page.dblclick(`#${id}`)
    await expect.poll(() => page.getAttribute(`#${id}`, 'data-status')).toBe('success')
    const keys = await page.evaluate(() => recipes.keys())
    expect(keys.length).toBeGreaterThanOrEqual(3)
    expect(new Set(keys).size).toBe(1)
    await page.close()
  })
})
