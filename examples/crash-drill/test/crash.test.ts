/** A small edition of the drill, with all modes at once; `npm run drills -- crash-drill` has the long one. */
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { type CrashReport, crashDrill } from '../src/crash-drill.ts'
import type { Mode } from '../src/messages.ts'
import { modesOf } from '../src/modes.ts'
import { type OpenedPlace, openPlace, placeAt, targets } from './targets.ts'

const KILLS = 3

for (const target of targets) {
  describe.skipIf(target.missing)(`C-03 C-04 workers that are killed, on ${target.backend}`, () => {
    let opened: OpenedPlace
    let reports: ReadonlyMap<Mode, CrashReport>
    beforeAll(async () => {
      opened = await openPlace(target)
      reports = await crashDrill({ place: opened.place, modes: modesOf[target.backend], keys: 15, kills: KILLS })
    }, 60_000)
    afterAll(() => opened.close())

    test.for(modesOf[target.backend])('%s', (mode) => {
      const report = reports.get(mode)
      expect(report).toMatchObject({ missing: 0, disagreeing: 0 })
      expect(report?.kills).toBe(KILLS)
      // an unprotected effect is done twice where it is killed before it is recorded: the drill sees what it looks for
      if (mode === 'external') expect(report?.duplicates).toBeGreaterThan(0)
      else expect(report?.duplicates).toBe(0)
      if (mode === 'derived') expect(report?.refused).toBeGreaterThan(0)
      if (mode === 'park') expect(report?.parkedDone).toBeGreaterThan(0)
    })
  })
}

test('as many workers are killed as were to be, however little there is to do', { timeout: 30_000 }, async () => {
  const { place, close } = placeAt('sqlite', '')
  onTestFinished(close)
  const modes = modesOf.sqlite
  const reports = await crashDrill({ place, modes, keys: KILLS, kills: KILLS })
  for (const mode of modes) expect(reports.get(mode)).toMatchObject({ kills: KILLS, missing: 0, disagreeing: 0 })
})
