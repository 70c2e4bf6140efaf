/**
 * Orders of five steps, each killed (SIGKILL) at every point between its steps, one process after the other, and then
 * finished: has each step its effect once, and in order? The points come in another order for each order.
 *
 *     node --import tsx examples/transactions/drills/steps.ts [orders] [backend,…]
 */
import { randomInt } from 'node:crypto'
import { unavailable } from '../../../scripts/services.mjs'
import { recoveredModesOf, startBackend } from '../../crash-drill/src/modes.ts'
import type { BackendName } from '../../crash-drill/src/place.ts'
import { onPlace } from '../test/killed-orders.ts'
import { POINTS, STEPS } from '../test/order.ts'
import { randomOf } from '../test/storm.ts'

const [count = '40', backends] = process.argv.slice(2)
const seed = Number(process.env.SEED ?? randomInt(2 ** 31))
const say = (line: string) => process.stdout.write(`${line}\n`)
const isTransactional = (name: BackendName) => recoveredModesOf[name].includes('steps')

say(`SEED=${seed}, ${count} orders, ${POINTS.length} processes killed`)
for (const name of (Object.keys(recoveredModesOf) as BackendName[]).filter(isTransactional)) {
  if (backends && !backends.split(',').includes(name)) continue
  const why = name === 'sqlite' ? undefined : await unavailable(name)
  if (why) {
    say(`${name}: not tested, ${why}`)
    continue
  }
  const { url, title, stop } = await startBackend(name)
  const startedAt = performance.now()
  const report = await killEverywhere(name, url).finally(stop)
  say(`${title} (${Math.round((performance.now() - startedAt) / 1000)} s): ${JSON.stringify(report)}`)
  if (report.wrong + report.disagreeing > 0 || report.finished < Number(count)) process.exitCode = 1
}

async function killEverywhere(backend: BackendName, url: string) {
  const report = { processesKilled: 0, killedInAnOrder: 0, finished: 0, wrong: 0, disagreeing: 0 }
  const random = randomOf(seed)
  const plans = new Map(Array.from({ length: Number(count) }, (_, i) => [`order-${i}`, shuffled(POINTS, random)]))
  const each = (pointOf: (points: readonly number[]) => number | null) =>
    Object.fromEntries([...plans].map(([key, points]) => [key, pointOf(points)]))

  await onPlace({ backend, url, name: 'steps' }, async ({ process, effects }) => {
    for (const turn of POINTS.keys()) {
      const reports = await process(each((points) => points[turn] ?? null))
      report.processesKilled++
      report.killedInAnOrder += reports.filter((each) => 'stands' in each).length
      for (const failure of reports) if ('failed' in failure) say(failure.message)
    }
    for (const told of await process(each(() => null))) {
      if ('failed' in told) say(told.message)
      if (!('finished' in told)) continue
      report.finished++
      if (told.attempt !== POINTS.length + 1 || String(told.value) !== String(STEPS)) report.disagreeing++
    }
    const had = await effects()
    for (const key of plans.keys()) if (String(had.get(key)) !== String(STEPS)) report.wrong++
  })
  return report
}

function shuffled(points: readonly number[], random: () => number): number[] {
  return points
    .map((point) => ({ point, place: random() }))
    .sort((a, b) => a.place - b.place)
    .map(({ point }) => point)
}
