import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { assetsModule } from '../page/write-assets.mjs'

test('src/assets.ts holds the style, the script and the icon as they are (node page/write-assets.mjs writes it)', () => {
  expect(readFileSync(new URL('../src/assets.ts', import.meta.url), 'utf8')).toBe(assetsModule())
})
