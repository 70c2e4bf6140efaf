/** The whole drill of a broker, in both modes; says what it counted, and sets the exit code. */
import { startService, unavailable } from '../../../../scripts/services.mjs'
import { openBroker } from './brokers.ts'
import { type DrillReport, drill } from './drill.ts'
import type { Mode } from './place.ts'

const say = (line: string) => process.stdout.write(`${line}\n`)

/** In a transaction all of it; where nothing can hold a duplicate off, it is enough to see that the drill makes some. */
const sizes: Record<Mode, { messages: number; kills: number }> = {
  transaction: { messages: 10_000, kills: 50 },
  external: { messages: 2000, kills: 20 },
}

export async function fullDrill(broker: string): Promise<void> {
  const name = (await openBroker(broker)).service
  const why = (await unavailable(name)) ?? (await unavailable('postgres'))
  if (why) {
    say(`${broker}: not tested, ${why}`)
    return
  }
  const [server, database] = await Promise.all([startService(name, { durable: true }), startService('postgres')])
  try {
    for (const mode of ['transaction', 'external'] as const) {
      const place = { broker, url: server.url, databaseUrl: database.url, name: `${broker}_${mode}`, mode }
      const report = await drill(place, {
        ...sizes[mode],
        poisonous: 20,
        consumers: 4,
        restartBroker: async () => {
          await server.nodes[0]?.kill()
          await server.nodes[0]?.start()
        },
        timeoutMs: 30 * 60_000,
        say,
      })
      say(`${server.title}, ${mode}: ${JSON.stringify(report)}`)
      for (const problem of problemsOf(mode, report)) {
        say(`${broker}, ${mode}: ${problem}`)
        process.exitCode = 1
      }
    }
  } finally {
    await Promise.all([server.stop(), database.stop()])
  }
}

function problemsOf(mode: Mode, { done, duplicates, lost, deadLettered, wronglyDeadLettered, kills }: DrillReport) {
  const expected = sizes[mode]
  return [
    lost.length > 0 && `lost ${lost}`,
    done !== expected.messages && `${done} effects`,
    mode === 'transaction' && duplicates > 0 && `${duplicates} duplicates`,
    mode === 'external' && duplicates === 0 && 'no duplicate where there must be some',
    deadLettered !== 20 && `${deadLettered} of 20 dead letters`,
    wronglyDeadLettered.length > 0 && `dead letters that should be none: ${wronglyDeadLettered}`,
    kills !== expected.kills && `${kills} kills`,
  ].filter((problem) => problem !== false)
}
