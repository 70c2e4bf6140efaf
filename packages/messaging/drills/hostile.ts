/** `npm run drills -- messaging/drills/hostile`: each broker, half of the messages hostile, consumers killed. `FC_SEED` repeats a run. */
import { randomInt } from 'node:crypto'
import { startService, unavailable } from '../../../scripts/services.mjs'
import { brokerNames, openBroker } from '../test/drill/brokers.ts'
import { hostileDrill } from '../test/drill/hostile-drill.ts'

const [messages, kills] = [Number(process.env.MESSAGES ?? 2000), 8]
const seed = Number(process.env.FC_SEED ?? randomInt(2 ** 31))
const say = (line: string) => process.stdout.write(`${line}\n`)

const database = await startService('postgres')
try {
  for (const broker of process.env.BROKERS?.split(' ') ?? brokerNames) {
    const name = (await openBroker(broker)).service
    const why = await unavailable(name)
    if (why) {
      say(`${broker}: not tested, ${why}`)
      continue
    }
    const server = await startService(name, { durable: true })
    const own = { broker, url: server.url, databaseUrl: database.url, name: `hostile_${broker}` }
    const place = { ...own, mode: 'transaction', hostile: true } as const
    const options = { messages, seed, consumers: 4, kills, timeoutMs: 30 * 60_000 }
    const report = await hostileDrill(place, options).finally(() => server.stop())
    say(`${server.title}: ${JSON.stringify(report)}`)
    const { done, good, duplicates, lost, missing, untrue, stopped } = report
    const problems = [...lost, ...missing, ...untrue]
    if (done !== good || duplicates > 0 || stopped > 0 || problems.length > 0) process.exitCode = 1
  }
} finally {
  await database.stop()
}
