import { describe, expect, test } from 'vitest'
import { ruledOut } from '../src/store/check.ts'
import { checks } from '../src/store/checks.ts'
import { settings } from '../src/store/tools/settings.ts'
import { gallery } from './gallery/gallery.ts'

describe(`broken stores, each rejected by the check named for it (FC_SEED=${settings.seed})`, () => {
  test('there are enough of them, and no two have the same name', () => {
    expect(new Set(gallery.map(({ name }) => name)).size).toBe(gallery.length)
    expect(gallery.length).toBeGreaterThanOrEqual(150)
  })

  test.concurrent.for(gallery)('$rejectedBy: $name', { timeout: 60_000 }, async (broken, { expect }) => {
    const check = checks.find(({ id }) => id === broken.rejectedBy)
    if (!check) throw new Error(`there is no check ${broken.rejectedBy}`)
    expect(await ruledOut(check, broken.harness())).toBeNull()
    await expect(check.run(broken.harness())).rejects.toThrow()
  })
})
