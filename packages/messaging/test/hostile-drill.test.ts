/** The small edition of the hostile drill. `FC_SEED` repeats one. */
import { randomBytes, randomInt } from 'node:crypto'
import { expect, test } from 'vitest'
import { service } from '../../../scripts/services.mjs'
import { brokerNames, openBroker } from './drill/brokers.ts'
import { hostileDrill } from './drill/hostile-drill.ts'

const KILLS = 1

const database = await service('postgres')

for (const broker of brokerNames) {
  const server = await service((await openBroker(broker)).service)
  test
    .skipIf(server.missing ?? database.missing)
    .concurrent(
      `${broker} on ${server.title}: good messages are handled once, each other one is a dead letter that says why`,
      { timeout: 170_000 },
      async () => {
        const name = `hostile_${broker}_${randomBytes(4).toString('hex')}`
        const seed = Number(process.env.FC_SEED ?? randomInt(2 ** 31))
        const place = {
          broker,
          url: server.url,
          databaseUrl: database.url,
          name,
          mode: 'transaction',
          hostile: true,
        } as const
        const report = await hostileDrill(place, {
          messages: 100,
          seed,
          consumers: 2,
          kills: KILLS,
          timeoutMs: 160_000,
        })
        const { good, bad, letters } = report
        expect(report).toMatchObject({ done: good, duplicates: 0, lost: [], missing: [], untrue: [], stopped: 0 })
        // a crash brings back what had no record, or what Kafka's group had not committed
        expect(letters).toBeLessThanOrEqual(bad * (1 + KILLS))
      },
    )
}
