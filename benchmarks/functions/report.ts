/** Tables of what was measured. */

import type { Cell, Sample } from './measure.ts'
import { scenarios } from './measure.ts'

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((one, other) => one - other)
  const middle = Math.floor(sorted.length / 2)
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 ? upper : (upper + (sorted[middle - 1] ?? Number.NaN)) / 2
}

/** The time that decides: of the CPU where the work is done in this process, else of the clock. */
const timeOf = ({ driver }: Cell, sample: Sample) => (driver.isLocal ? sample.cpuUs : sample.wallUs)

/** The median over the rounds of floor ÷ subject in the same round: 1 is as fast as by hand, more is faster. */
export function ratioToFloor(cell: Cell, cells: readonly Cell[]): number {
  const floor = cells.find(
    ({ driver, subject, scenario, callers }) =>
      driver === cell.driver && subject.kind === 'floor' && scenario === cell.scenario && callers === cell.callers,
  )
  if (!floor) return Number.NaN
  return median(
    cell.samples.map((sample, round) => timeOf(floor, floor.samples[round] ?? sample) / timeOf(cell, sample)),
  )
}

export function table(cells: readonly Cell[]): string {
  const rows = [...new Set(cells.map(({ subject }) => subject))].map((subject) => {
    const own = cells.filter((cell) => cell.subject === subject)
    const columns = scenarios.map((scenario) =>
      own
        .filter((cell) => cell.scenario === scenario)
        .map(
          (cell) =>
            `${ratioToFloor(cell, cells).toFixed(2)} (${micros(median(cell.samples.map((sample) => timeOf(cell, sample))))})`,
        )
        .join(' / '),
    )
    return `| ${own[0]?.driver.name} | ${subject.kind === 'floor' ? `floor: ${subject.name}` : subject.name} | ${columns.join(' | ')} |`
  })
  return rows.join('\n')
}

function micros(value: number): string {
  return value < 10 ? value.toFixed(1) : value.toFixed(0)
}
