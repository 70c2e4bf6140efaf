/** The small edition of the drills: consumers are killed at work, and each message has one effect all the same. */
import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { service } from '../../../scripts/services.mjs'
import { brokerNames, openBroker } from './drill/brokers.ts'
import { drill } from './drill/drill.ts'

const MESSAGES = 200
const POISONOUS = 3
const KILLS = 3

const database = await service('postgres')

for (const broker of brokerNames) {
  const server = await service((await openBroker(broker)).service)
  const missing = server.missing ?? database.missing
  test
    .skipIf(missing)
    .concurrent(
      `${broker} on ${server.title}: ${KILLS} kills, and no message is lost or handled twice`,
      { timeout: 120_000 },
      async () => {
        const name = `drill_${broker}_${randomBytes(4).toString('hex')}`
        const place = { broker, url: server.url, databaseUrl: database.url, name, mode: 'transaction' } as const
        const report = await drill(place, {
          messages: MESSAGES,
          poisonous: POISONOUS,
          consumers: 2,
          kills: KILLS,
          timeoutMs: 110_000,
        })
        expect(report).toMatchObject({
          done: MESSAGES,
          duplicates: 0,
          lost: [],
          deadLettered: POISONOUS,
          wronglyDeadLettered: [],
          kills: KILLS,
          failures: 0,
        })
      },
    )
}
