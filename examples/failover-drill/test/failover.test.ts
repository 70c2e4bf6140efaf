/** A small edition of the drill: one switch of each kind and database. */
import { describe, expect, test } from 'vitest'
import { unavailable } from '../../../scripts/services.mjs'
import { failover, type Servers } from '../src/failover-drill.ts'
import { startMongodbSet } from '../src/mongodb-set.ts'
import { startMysqlPair } from '../src/mysql-pair.ts'
import { startPostgresPair } from '../src/postgres-pair.ts'

const DEMOTED = ['demoted, then killed', true] as const
const KILLED = ['killed', false] as const
const databases = [
  ['postgres', startPostgresPair, [DEMOTED, KILLED]],
  ['mariadb', () => startMysqlPair('mariadb'), [DEMOTED, KILLED]],
  ['mongodb', startMongodbSet, [KILLED]],
] as const

for (const [name, start, endings] of databases) {
  const missing = await unavailable(name)
  describe.skipIf(missing)(`C-12 a failover of ${name}`, { timeout: 120_000 }, () => {
    test.each(endings)(
      'the leader is %s: nothing is done twice or lost, and no answer is a bare 500',
      async (_, demoted) => {
        const servers: Servers<never> = (await start()) as Servers<never>
        const { calls, runTwice, lost, statuses } = await failover(servers, demoted)
        expect({ runTwice, lost }).toEqual({ runTwice: 0, lost: 0 })
        // a promotion that takes less than `storeTimeout` may pass unseen
        if (demoted) expect(statuses[503]).toBeGreaterThan(0)
        for (const status of Object.keys(statuses)) expect(['201', '409', '503']).toContain(status)
        expect(calls).toBeGreaterThan(100)
      },
    )
  })
}
