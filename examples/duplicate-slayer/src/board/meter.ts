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
import { addBuckets, type Buckets, type Figures } from './figures.ts'

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
