/** A small edition of the drill: one switch of each kind and database. */
import { describe, expect, test } from 'vitest'
import { unavailable } from '../../../scripts/services.mjs'
import { failover, type Pair } from '../src/failover-drill.ts'
import { startMysqlPair } from '../src/mysql-pair.ts'
import { startPostgresPair } from '../src/postgres-pair.ts'

const pairs = [
  ['postgres', startPostgresPair],
  ['mariadb', () => startMysqlPair('mariadb')],
] as const

for (const [name, startPair] of pairs) {
  const missing = await unavailable(name)
  describe.skipIf(missing)(`a failover of ${name}`, { timeout: 120_000 }, () => {
    test.each([
      ['demoted, then killed', true],
      ['killed', false],
    ])('the primary is %s: nothing is done twice or lost, and no answer is a bare 500', async (_, demoted) => {
      const pair: Pair<never> = (await startPair()) as Pair<never>
      const { calls, runTwice, lost, statuses } = await failover(pair, demoted)
      expect({ runTwice, lost }).toEqual({ runTwice: 0, lost: 0 })
      // a promotion that takes less than `storeTimeout` may pass unseen
      if (demoted) expect(statuses[503]).toBeGreaterThan(0)
      for (const status of Object.keys(statuses)) expect(['201', '409', '503']).toContain(status)
      expect(calls).toBeGreaterThan(100)
    })
  })
}
