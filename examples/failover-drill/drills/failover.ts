/**
 * Switches under load, one database after the other.
 *
 *     node --import tsx examples/failover-drill/drills/failover.ts [switches] [postgres|mariadb|mysql|mongodb|redis-sentinel|redis-cluster]
 */
import { unavailable } from '../../../scripts/services.mjs'
import { failoverDrill } from '../src/failover-drill.ts'
import { startMongodbSet } from '../src/mongodb-set.ts'
import { startMysqlPair } from '../src/mysql-pair.ts'
import { startPostgresPair } from '../src/postgres-pair.ts'
import { startRedisCluster, startRedisSentinel } from '../src/redis-servers.ts'

const [switches = '9', only] = process.argv.slice(2)
const say = (line: string) => process.stdout.write(`${line}\n`)
const drills = {
  postgres: () => failoverDrill(startPostgresPair, Number(switches), say),
  mariadb: () => failoverDrill(() => startMysqlPair('mariadb'), Number(switches), say),
  mysql: () => failoverDrill(() => startMysqlPair('mysql'), Number(switches), say),
  mongodb: () => failoverDrill(startMongodbSet, Number(switches), say),
  'redis-sentinel': () => failoverDrill(startRedisSentinel, Number(switches), say),
  'redis-cluster': () => failoverDrill(startRedisCluster, Number(switches), say),
} as const
for (const name of Object.keys(drills) as (keyof typeof drills)[]) {
  if (only && only !== name) continue
  const missing = await unavailable(name)
  if (missing) {
    say(`${name}: not tested, ${missing}`)
    continue
  }
  const report = await drills[name]()
  say(`${name}: ${JSON.stringify(report)}`)
  const bare = Object.keys(report.statuses).filter((status) => !['201', '409', '503'].includes(status))
  // a Cluster replicates behind its answers
  const broken = name === 'redis-cluster' ? 0 : report.runTwice + report.lost
  if (broken + bare.length > 0) process.exitCode = 1
}
