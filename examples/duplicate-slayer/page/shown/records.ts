/** The table of keys, the newest first, and the figures below. */
import type { Figure, Row } from '../../src/board/live.ts'
import { element, make } from '../dom.ts'

/** Older lines leave the table, unless they are the ones to be looked at; all are counted. */
const MAX_LINES = 14
const lines = new Map<string, HTMLTableRowElement>()
const keys = new Set<string>()

export function showRows(rows: readonly Row[]): void {
  const body = element('rows')
  for (const row of rows) {
    // a line that has left comes back only for what must be seen
    if (keys.has(row.key) && !lines.has(row.key) && row.charges < 2) continue
    keys.add(row.key)
    const line = lines.get(row.key) ?? document.createElement('tr')
    line.replaceChildren(...cells(row))
    if (!line.isConnected) body.prepend(line)
    lines.set(row.key, line)
  }
  for (const [key, line] of lines) {
    if (lines.size <= MAX_LINES) break
    line.remove()
    lines.delete(key)
  }
  countLines()
}

function countLines(): void {
  const hidden = keys.size - lines.size
  element('more-rows').textContent =
    keys.size === 0 ? 'No payments yet. Press Pay.' : hidden > 0 ? `and ${hidden} earlier ones` : ''
}

export function clearRows(): void {
  lines.clear()
  keys.clear()
  element('rows').replaceChildren()
  countLines()
}

function cells({ key, order, status, attempts, result, requests, charges }: Row): HTMLElement[] {
  const orderCell = make('th', 'key', order)
  orderCell.setAttribute('scope', 'row')
  const statusCell = document.createElement('td')
  const state = status.replace('_', ' ')
  statusCell.append(make('span', `state ${status.replace(' ', '_')}`, state))
  if (attempts > 1) statusCell.append(' ', make('span', 'attempt', `attempt ${attempts}`))
  return [
    orderCell,
    make('td', 'mono quiet id', key.slice(0, 8)),
    statusCell,
    make('td', 'mono result', result.replace('/charges/', '#')),
    make('td', 'number', String(requests)),
    make('td', charges > 1 ? 'number wrong' : 'number', charges > 1 ? `${charges} ×` : String(charges)),
  ]
}

export function showFigures(figures: readonly Figure[]): void {
  const list = element('figures')
  for (const { name, title, value } of figures) {
    const shown = list.querySelector<HTMLElement>(`[data-name="${name}"] dd`) ?? addFigure(list, name, title)
    if (shown.textContent !== value) shown.textContent = value
  }
}

function addFigure(list: HTMLElement, name: string, title: string): HTMLElement {
  const group = document.createElement('div')
  const value = make('dd', 'mono', '')
  group.dataset.name = name
  group.title = name
  group.append(make('dt', '', title), value)
  list.append(group)
  return value
}
