/**
 * The storm at length on each transactional store: 32 connections, 40 keys a round, each sent four times at once in mode
 * `fenced` or `single`; 30% of the runs throw, every fifth COMMIT is cut, and now and then another statement.
 *
 *     node --import tsx examples/transactions/drills/storm.ts [rounds] [store]
 */
import { randomInt } from 'node:crypto'

// MySQL too, where it can be had
process.env.RETRYPROOF_NEXT ??= '1'
const { targets } = await import('../test/backends.ts')
const { onWay } = await import('../test/cut-commits.ts')
const { randomCuts, randomOf, storm } = await import('../test/storm.ts')

const rounds = Number(process.argv[2] ?? 10)
const only = process.argv[3]
const seed = Number(process.env.SEED ?? randomInt(2 ** 31))
const say = (line: unknown) => process.stdout.write(`${typeof line === 'string' ? line : JSON.stringify(line)}\n`)

say(`SEED=${seed}, ${rounds} rounds of 40 keys`)
for (const { name, title, missing, url, use } of targets.filter((target) => !only || target.name === only)) {
  if (missing) {
    say(`${title}: not tested: ${missing}`)
    continue
  }
  const random = randomOf(seed)
  const { next, cuts } = randomCuts(random)
  await onWay(name, url, next, (way) =>
    use(async (backend) => {
      const startedAt = performance.now()
      const report = await storm(backend, random, { rounds, way })
      const seconds = Math.round((performance.now() - startedAt) / 1000)
      say(`${title}: ${JSON.stringify({ ...report, cuts, seconds })}`)
      if (report.duplicates + report.missing + report.disagreeing > 0) process.exitCode = 1
    }),
  )
}
