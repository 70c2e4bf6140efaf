/** A small edition of the drill: a server that freezes for longer than a lease at some points of a call. */
import { expect, test } from 'vitest'
import { unavailable } from '../../../scripts/services.mjs'
import { freezeDrill } from '../drills/freeze.ts'

test.skipIf(await unavailable('redis'))(
  'C-20 a frozen server skips no step and holds no key',
  { timeout: 60_000 },
  async () => {
    const report = await freezeDrill({ points: [1, 2, 3, 4], freezesMs: [800] })
    expect(report).toMatchObject({ freezes: 8, stepsSkipped: 0, parkedUnrun: 0, wrong: 0 })
  },
)
