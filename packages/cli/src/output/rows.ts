/** Prints rows as a table, as CSV or as JSON. */

import { neutralize, neutralizeJson, toPlain } from '@retryproof/http/internal'
import Table from 'cli-table3'
import type { CliIo } from '../io.ts'

export interface Format {
  readonly json?: boolean
  readonly csv?: boolean
}

export type Cell = string | number | boolean | null

export function table(columns: readonly string[], rows: readonly Readonly<Record<string, Cell>>[]): string {
  const lines = new Table({
    head: columns.map((name) => name.toUpperCase()),
    style: { head: [], border: [], compact: true, 'padding-left': 0, 'padding-right': 2 },
    chars: Object.fromEntries(
      ['top', 'bottom', 'left', 'right', 'mid', 'middle'].flatMap((side) =>
        ['', '-mid', '-left', '-right'].map((corner) => [`${side}${corner}`, '']),
      ),
    ),
  })
  for (const row of rows) lines.push(columns.map((name) => neutralize(String(row[name] ?? ''))))
  const text = lines.toString()
  return `${text
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n')}\n`
}

export function csv(columns: readonly string[], rows: readonly Readonly<Record<string, Cell>>[]): string {
  return [columns.join(','), ...rows.map((row) => columns.map((name) => csvCell(row[name] ?? '')).join(','))]
    .map((line) => `${line}\r\n`)
    .join('')
}

/** Quotes a cell; one that a spreadsheet would run as a formula begins with an apostrophe. */
function csvCell(cell: Cell): string {
  if (typeof cell === 'number') return String(cell)
  const text = neutralize(String(cell))
  const harmless = /^[=+\-@]/.test(text) ? `'${text}` : text
  return /[",]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless
}

export function printJson(io: CliIo, value: unknown): void {
  io.write(`${neutralizeJson(JSON.stringify(value, toPlain, 2))}\n`)
}
