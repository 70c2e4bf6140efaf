/** Measurements of OpenTelemetry in a worker, handed to the demo every quarter of a second. */

import {
  AggregationTemporality,
  type Histogram,
  MeterProvider,
  PeriodicExportingMetricReader,
  type PushMetricExporter,
  type ResourceMetrics,
} from '@opentelemetry/sdk-metrics'
import type { Idempotency, IdempotencyStore } from '@retryproof/core'
import { instrument, instrumentStore, metrics } from '@retryproof/opentelemetry'

/** The rise of each counter, and a histogram of the store's calls. */
export interface Figures {
  readonly counters: Readonly<Record<string, number>>
  readonly storeCalls: Buckets
}

/** `counts[i]` calls took at most `boundaries[i]` seconds; the last, longer. */
export interface Buckets {
  readonly boundaries: readonly number[]
  readonly counts: readonly number[]
}

export interface FigureMeter {
  readonly wrap: (store: IdempotencyStore) => IdempotencyStore
  readonly watch: (idempotency: Idempotency) => void
  /** Hands over what was measured until now: a process that is about to be killed has no other chance. */
  flush(): Promise<void>
}

export function startMeter(tell: (figures: Figures) => void): FigureMeter {
  const exporter: PushMetricExporter = {
    selectAggregationTemporality: () => AggregationTemporality.DELTA,
    export(measured, done) {
      tell(read(measured))
      done({ code: 0 })
    },
    forceFlush: async () => {},
    shutdown: async () => {},
  }
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 250, exportTimeoutMillis: 250 })
  const meterProvider = new MeterProvider({ readers: [reader] })
  return {
    wrap: (store) => instrumentStore(store, { meterProvider }),
    watch: (idempotency) => void instrument(idempotency, { meterProvider }),
    flush: () => reader.forceFlush(),
  }
}

function read({ scopeMetrics }: ResourceMetrics): Figures {
  const counters: Record<string, number> = {}
  let storeCalls: Buckets = { boundaries: [], counts: [] }
  for (const { descriptor, dataPoints } of scopeMetrics.flatMap((scope) => scope.metrics)) {
    for (const { value } of dataPoints) {
      if (typeof value === 'number') counters[descriptor.name] = (counters[descriptor.name] ?? 0) + value
      else if (descriptor.name === metrics.storeDuration)
        storeCalls = addBuckets(storeCalls, (value as Histogram).buckets)
    }
  }
  return { counters, storeCalls }
}

/** Adds up the measurements of two periods, or of two workers. */
export function addFigures(a: Figures, b: Figures): Figures {
  const counters = { ...a.counters }
  for (const [name, value] of Object.entries(b.counters)) counters[name] = (counters[name] ?? 0) + value
  return { counters, storeCalls: addBuckets(a.storeCalls, b.storeCalls) }
}

export const noFigures: Figures = { counters: {}, storeCalls: { boundaries: [], counts: [] } }

function addBuckets(a: Buckets, b: Buckets): Buckets {
  if (a.counts.length === 0) return b
  return { boundaries: a.boundaries, counts: a.counts.map((count, index) => count + (b.counts[index] ?? 0)) }
}

/** The bucket's boundary, in milliseconds, below which this share of the calls stayed; undefined where there were none. */
export function quantileMs({ boundaries, counts }: Buckets, share: number): number | undefined {
  const total = counts.reduce((sum, count) => sum + count, 0)
  let below = 0
  for (const [index, count] of counts.entries()) {
    below += count
    if (total > 0 && below >= total * share) return (boundaries[index] ?? Number.POSITIVE_INFINITY) * 1000
  }
  return undefined
}
