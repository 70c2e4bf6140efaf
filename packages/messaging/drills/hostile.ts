/** `npm run drills -- messaging/drills/hostile`: each broker, half of the messages hostile, consumers killed. `FC_SEED` repeats a run. */
import { randomInt } from 'node:crypto'
import { startService, unavailable } from '../../../scripts/services.mjs'
import { brokerNames, openBroker } from '../test/drill/brokers.ts'
import { cpuSeconds } from '../test/drill/cpu-seconds.ts'
import { hostileDrill } from '../test/drill/hostile-drill.ts'

/** The messages that a consumer has at hand, of which a kill may make a second dead letter each. */
const AT_HAND = 10
/** Seconds. */
const MAX_CPU_A_MESSAGE = 0.1
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
    const cpuOf = async () =>
      (await Promise.all(server.nodes.map(({ pid }) => cpuSeconds(pid)))).reduce((a, b) => a + b)
    try {
      const before = await cpuOf()
      const report = await hostileDrill(place, options)
      const brokerCpu = (await cpuOf()) - before
      say(`${server.title}: ${JSON.stringify({ ...report, brokerCpuSeconds: Math.round(brokerCpu) })}`)
      const { done, good, duplicates, lost, missing, untrue, stopped, bad, letters, published } = report
      const problems = [...lost, ...missing, ...untrue]
      if (done !== good || duplicates > 0 || stopped > 0 || problems.length > 0) process.exitCode = 1
      // a circle of dead letters would cost the broker without bound
      if (letters > bad + AT_HAND * kills || brokerCpu > MAX_CPU_A_MESSAGE * published) process.exitCode = 1
    } finally {
      await server.stop()
    }
  }
} finally {
  await database.stop()
}
