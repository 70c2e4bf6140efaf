/** Collects the events since the start, kept for pages that come later, and told to those that are open. */

import type { Inspection } from '@retryproof/core'
import { metrics } from '@retryproof/opentelemetry'
import type { Flight } from '../network/bad-network.ts'
import { addFigures, type Figures, noFigures, quantileMs } from './figures.ts'
import type { Figure, Row, Score, Send } from './live.ts'
import { resultOf } from './result.ts'

export interface Board {
  flight(flight: Flight): void
  charged(order: string): void
  measured(figures: Figures): void
  /** Tells a new page everything. */
  greet(send: Send): void
  clear(): void
}

/** Several changes at once are told together, this many milliseconds after the first. */
const GATHER_MS = 60
/** Older lines are counted, but no longer shown. */
const SHOWN_ROWS = 150

const shownFigures: readonly (readonly [name: string, title: string])[] = [
  [metrics.executions, 'Executions'],
  [metrics.replays, 'Replays'],
  [metrics.conflicts, 'Conflicts'],
  [metrics.keyReuses, 'Keys reused'],
  [metrics.takeovers, 'Takeovers'],
  [metrics.leaseLosses, 'Lease losses'],
  [metrics.unrecorded, 'Unrecorded'],
  [metrics.storeErrors, 'Store errors'],
]

export function openBoard(options: { inspect: (key: string) => Promise<Inspection | null>; send: Send }): Board {
  const { inspect, send } = options
  let rows = new Map<string, Row>()
  let charges = new Map<string, number>()
  let answered = new Set<string>()
  let changed = new Set<string>()
  let figures = noFigures

  function touch(key: string): void {
    if (changed.size === 0) setTimeout(() => void tell(), GATHER_MS)
    changed.add(key)
  }

  async function tell(): Promise<void> {
    const keys = [...changed]
    changed = new Set()
    // a store that is being changed or is down has nothing to say, and the line keeps what it said last
    const records = await Promise.all(keys.map((key) => inspect(key).catch(() => null)))
    const told = keys.flatMap((key, index) => {
      const row = rows.get(key)
      // without one, everything started over in the meantime
      return row ? [{ ...row, ...seen(records[index] ?? null), charges: charges.get(row.order) ?? 0 }] : []
    })
    for (const row of told) rows.set(row.key, row)
    send('rows', told)
    send('score', score())
  }

  function seen(record: Inspection | null): Partial<Row> {
    return record ? { status: record.state, attempts: record.attempt, result: resultOf(record.value) ?? '–' } : {}
  }

  function score(): Score {
    const orders = new Set([...rows.values()].map(({ order }) => order))
    const counts = [...orders].map((order) => charges.get(order) ?? 0)
    return {
      intents: orders.size,
      charges: counts.reduce((sum, count) => sum + count, 0),
      doubled: counts.filter((count) => count > 1).length,
      answered: answered.size,
    }
  }

  function readFigures(): Figure[] {
    const counted = shownFigures.map(([name, title]) => ({ name, title, value: String(figures.counters[name] ?? 0) }))
    const p95 = quantileMs(figures.storeCalls, 0.95)
    return [
      ...counted,
      { name: metrics.storeDuration, title: 'Store p95', value: p95 === undefined ? '–' : `≤ ${p95} ms` },
    ]
  }

  return {
    flight({ id, key, order, fate, status, replayed }) {
      const row = rows.get(key) ?? {
        key,
        order,
        status: 'no record',
        attempts: 0,
        result: '–',
        requests: 0,
        charges: 0,
      }
      rows.set(key, { ...row, requests: row.requests + (fate === 'on its way' ? 1 : 0) })
      if (fate === 'answered' && decides(status)) answered.add(order)
      const answer = { ...(status !== undefined && { status }), ...(replayed !== undefined && { replayed }) }
      send('flight', { id, order, fate, ...answer })
      touch(key)
    },

    charged(order) {
      charges.set(order, (charges.get(order) ?? 0) + 1)
      for (const row of rows.values()) if (row.order === order) touch(row.key)
    },

    measured(more) {
      figures = addFigures(figures, more)
      send('figures', readFigures())
    },

    greet(newcomer) {
      newcomer('rows', [...rows.values()].slice(-SHOWN_ROWS))
      newcomer('score', score())
      newcomer('figures', readFigures())
    },

    clear() {
      rows = new Map()
      charges = new Map()
      answered = new Set()
      changed = new Set()
      figures = noFigures
      send('cleared', {})
      send('score', score())
      send('figures', readFigures())
    },
  }
}

/** Tells whether a client may stop asking: neither a failure of the server, nor a duplicate that came too early. */
function decides(status = 0): boolean {
  return status < 500 && status !== 409
}
