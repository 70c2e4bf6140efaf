/** Runs the drivers that are named, and prints their tables. */
import { parseArgs } from 'node:util'
import { measure, scenarios } from './measure.ts'
import { table } from './report.ts'
import type { Driver } from './subject.ts'
import { memory } from './subjects/memory.ts'

const drivers: readonly Driver[] = [memory]

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { quick: { type: 'boolean', default: false }, rounds: { type: 'string' }, ms: { type: 'string' } },
})
const plan = {
  rounds: Number(values.rounds ?? (values.quick ? 5 : 15)),
  cellMs: Number(values.ms ?? (values.quick ? 150 : 500)),
  callers: [1, 64],
}
const lines = [`| driver | | ${scenarios.join(' | ')} |`, `|---|---|${scenarios.map(() => '---').join('|')}|`]
for (const driver of drivers) {
  if (positionals.length > 0 && !positionals.includes(driver.name)) continue
  lines.push(table(await measure(driver, plan)))
}
process.stdout.write(`Node ${process.version}\n${lines.join('\n')}\n`)
process.exit()
