/** Runs the drivers that are named, and prints their tables. */
import { writeFile } from 'node:fs/promises'
import { availableParallelism, cpus, loadavg } from 'node:os'
import { parseArgs } from 'node:util'
import { chart } from './chart.ts'
import { coreTable } from './core.ts'
import { fullLoad } from './full-load.ts'
import { type Cell, measure, scenarios } from './measure.ts'
import { table } from './report.ts'
import type { Driver } from './subject.ts'
import { memory } from './subjects/memory.ts'
import { mongodb } from './subjects/mongodb.ts'
import { mariadb } from './subjects/mysql.ts'
import { postgres, postgresCounters } from './subjects/postgres.ts'
import { redis } from './subjects/redis.ts'
import { sqlite } from './subjects/sqlite.ts'
import { tripRows } from './trips.ts'

/** Drivers that work at a server, each at one of the run's own. */
const remote: Readonly<Record<string, (url: string) => Driver>> = { redis, postgres, mariadb, mongodb }
/** Each is opened when its turn comes. */
const drivers: Readonly<Record<string, () => Promise<Driver>>> = {
  memory: async () => memory,
  ...Object.fromEntries(Object.entries(remote).map(([name, open]) => [name, async () => open(await urlOf(name))])),
  sqlite: async () => sqlite,
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    ms: { type: 'string' },
    /** Minutes at full load, in place of the table. */
    minutes: { type: 'string' },
    /** A file for the chart. */
    svg: { type: 'string' },
  },
})
const urls = new Map<string, string>()
const services = new URL('scripts/services.mjs', process.env.BENCH_ROOT).href
const plan = {
  rounds: Number(values.rounds ?? (values.quick ? 5 : 15)),
  cellMs: Number(values.ms ?? (values.quick ? 100 : 500)),
  callers: [1, 64],
}
const print = (line: string) => process.stdout.write(`${line}\n`)
if (positionals[0] === 'core') {
  print(`Node ${process.version}, medians of the same calls in turn\n`)
  print(await coreTable())
  process.exit()
}
if (positionals[0] === 'trips') {
  print(`Round trips, and bytes sent + received, of one call of one caller\n\n| driver | | ${scenarios.join(' | ')} |`)
  print(`|---|---|${scenarios.map(() => '---').join('|')}|`)
  for (const [name, open] of Object.entries(remote)) print(await tripRows(await urlOf(name), open))
  process.exit()
}
print(
  `Node ${process.version}, ${availableParallelism()} cores (${cpus()[0]?.model}), ${plan.rounds} rounds of ${plan.cellMs} ms, load ${loadavg()[0]?.toFixed(1)}\n`,
)
if (values.minutes !== undefined) {
  for (const name of positionals) {
    const driver = await drivers[name]?.()
    if (!driver) throw new Error(`There is no driver ${name}: ${Object.keys(drivers).join(', ')}`)
    const counters = name === 'postgres' ? postgresCounters(await urlOf(name)) : async () => ''
    await fullLoad(driver, Number(values.minutes), counters, print)
  }
  process.exit()
}
print(`| driver | | ${scenarios.join(' | ')} |`)
print(`|---|---|${scenarios.map(() => '---').join('|')}|`)
const tables: Cell[][] = []
for (const [name, open] of Object.entries(drivers)) {
  if (positionals.length > 0 && !positionals.includes(name)) continue
  const cells = await measure(await open(), plan)
  tables.push(cells)
  print(table(cells))
}
if (values.svg !== undefined) await writeFile(values.svg, chart(tables))
print(`\nLoad at the end: ${loadavg()[0]?.toFixed(1)}`)
process.exit()

/** A server of the run's own, once for each name; a durable one, as in production. */
async function urlOf(name: string): Promise<string> {
  const { startService } = (await import(services)) as {
    startService(name: string, options: { durable: boolean }): Promise<{ readonly url: string }>
  }
  const url = urls.get(name) ?? (await startService(name, { durable: true })).url
  urls.set(name, url)
  return url
}
