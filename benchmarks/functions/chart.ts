/** A chart of the measured ratios, as SVG. */
import type { Cell } from './measure.ts'
import { ratioToFloor } from './report.ts'

const TITLE = 'How many times as fast as by hand (1 and 64 callers); blue: Retryproof, gray: peers'
const SCENARIOS = ['fresh', 'replay'] as const
const LABELS = 250
const WIDTH = 900
const ROW = 16
const HEAD = 46
/** The ends of the logarithmic scale. */
const LEAST = 0.1
const MOST = 20

const COLORS: Readonly<Record<string, string>> = { peer: '#9aa5b1', ours: '#2563eb' }

const xOf = (ratio: number): number => {
  const within = Math.min(MOST, Math.max(LEAST, ratio))
  return LABELS + ((WIDTH - LABELS - 60) * Math.log(within / LEAST)) / Math.log(MOST / LEAST)
}

const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')

/** Draws how often as fast as by hand each subject is: to the right of the line is faster. */
export function chart(tables: readonly (readonly Cell[])[]): string {
  const parts: string[] = []
  let y = HEAD
  const text = (x: number, content: string, more = '') =>
    parts.push(`<text x="${x}" y="${y}" ${more}>${escaped(content)}</text>`)
  for (const cells of tables) {
    y += ROW
    text(8, cells[0]?.driver.name ?? '', 'font-weight="bold"')
    for (const cell of cells) {
      const { subject, scenario, callers } = cell
      if (subject.kind === 'floor' || !SCENARIOS.some((name) => name === scenario)) continue
      y += ROW
      const ratio = ratioToFloor(cell, cells)
      const [from, to] = [xOf(1), xOf(ratio)]
      text(LABELS - 8, `${subject.name.slice(0, 26)} · ${scenario} · ${callers}`, 'text-anchor="end"')
      parts.push(
        `<rect x="${Math.min(from, to).toFixed(1)}" y="${y - 10}" width="${Math.max(1, Math.abs(to - from)).toFixed(1)}" height="11" fill="${COLORS[subject.kind]}"/>`,
      )
      text(Math.round(Math.max(from, to)) + 4, ratio.toFixed(2))
    }
  }
  const height = y + ROW
  const lines = [0.1, 0.25, 0.5, 1, 2, 5, 10, 20].map(
    (ratio) =>
      `<line x1="${xOf(ratio).toFixed(1)}" x2="${xOf(ratio).toFixed(1)}" y1="${HEAD - 8}" y2="${height}" stroke="${ratio === 1 ? '#111827' : '#e5e7eb'}"/>` +
      `<text x="${xOf(ratio).toFixed(1)}" y="${HEAD - 14}" text-anchor="middle">${ratio}</text>`,
  )
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="11" fill="#111827">
<title>${TITLE}</title>
<rect width="${WIDTH}" height="${height}" fill="#ffffff"/>
<text x="8" y="16" font-weight="bold">${TITLE}</text>
${[...lines, ...parts].join('\n')}
</svg>
`
}
