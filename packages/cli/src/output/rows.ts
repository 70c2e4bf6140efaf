/** Prints rows as a table, as CSV or as JSON. */

import { neutralize, neutralizeJson, toPlain } from '@retryproof/http/internal'
import stringWidth from 'string-width'
import type { CliIo } from '../io.ts'

export interface Format {
  readonly json?: boolean
  readonly csv?: boolean
}

export type Cell = string | number | boolean | null

type Row = Readonly<Record<string, Cell>>

/** A line for each row; on a terminal that is narrower than that a block for each, so that a key can be copied whole. */
export function table(
  columns: readonly string[],
  rows: readonly Row[],
  io: Pick<CliIo, 'isTerminal' | 'columns'>,
): string {
  const text = lines(columns, rows)
  const isWide = io.isTerminal && text.split('\n').some((line) => stringWidth(line) > io.columns)
  return isWide ? rows.map((row) => `${block(columns, row)}\n`).join('') : text
}

function block(columns: readonly string[], row: Row): string {
  const width = Math.max(...columns.map((name) => name.length))
  return columns
    .filter((name) => (row[name] ?? '') !== '')
    .map((name) => `${name.toUpperCase().padEnd(width)}  ${neutralize(String(row[name]))}\n`)
    .join('')
}

/** Columns begin two cells after the widest cell of the one before, as a terminal counts cells. */
function lines(columns: readonly string[], rows: readonly Row[]): string {
  const cells = [
    columns.map((name) => name.toUpperCase()),
    ...rows.map((row) => columns.map((name) => neutralize(String(row[name] ?? '')))),
  ]
  const widths = columns.map((_, at) => Math.max(...cells.map((line) => stringWidth(line[at] ?? ''))))
  const padded = (cell: string, at: number) => cell + ' '.repeat((widths[at] ?? 0) + 2 - stringWidth(cell))
  return cells.map((line) => `${line.map(padded).join('').trimEnd()}\n`).join('')
}

export function csv(columns: readonly string[], rows: readonly Row[]): string {
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
