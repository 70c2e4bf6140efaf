/** A small edition of the storm: each key has one payment, and it is the one that its record and every answer tell of. */
import { randomInt } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { targets } from './backends.ts'
import { onWay } from './cut-commits.ts'
import { KEYS, randomCuts, randomOf, storm } from './storm.ts'

const seed = Number(process.env.SEED ?? randomInt(2 ** 31))
const exactlyOnce = { keys: KEYS, duplicates: 0, missing: 0, disagreeing: 0 }

for (const { name, title, missing, url, use } of targets) {
  describe.skipIf(missing)(`exactly one payment for each key on ${title}, SEED=${seed}`, { timeout: 180_000 }, () => {
    test('duplicates at once, and work that throws', () =>
      use(async (backend) => {
        const report = await storm(backend, randomOf(seed))
        console.log(title, report)
        expect(report).toMatchObject(exactlyOnce)
        expect(report.rollbacks).toBeGreaterThan(0)
      }))

    // MongoDB takes the longest, up to ten seconds: where a cut leaves a transaction open, all calls for its key wait until
    // the server ends it, 2 to 3 s later
    test('and connections that are cut, at COMMIT above all', async () => {
      const random = randomOf(seed)
      const { next, cuts } = randomCuts(random)
      await onWay(name, url, next, (way) =>
        use(async (backend) => {
          const report = await storm(backend, random, { way })
          console.log(title, report, cuts)
          expect(report).toMatchObject(exactlyOnce)
          for (const [what, times] of Object.entries(cuts))
            if (what !== 'elsewhere') expect(times, what).toBeGreaterThan(0)
        }),
      )
    })
  })
}
