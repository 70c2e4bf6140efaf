/** Metrics and spans of an instance, from its events. */
import { type MeterProvider, metrics as metricsApi, type TracerProvider, trace } from '@opentelemetry/api'
import type { Idempotency } from '@retryproof/core'
import { SCOPE } from './names.ts'
import { operationLabels } from './operation-labels.ts'
import { recordMetrics } from './record-metrics.ts'
import { attemptSpans } from './record-spans.ts'

export interface InstrumentOptions {
  /** Provides the meter of all measurements. @default the global one */
  readonly meterProvider?: MeterProvider
  /** Provides the tracer of all spans. @default the global one */
  readonly tracerProvider?: TracerProvider
  /** The number of operations with a label of their own; the others are `_other`. @default 200 */
  readonly maxOperations?: number
  /** The operations with a label of their own, by name. Without the list, patterns are recognized, up to `maxOperations`. */
  readonly operations?: readonly string[]
}

/**
 * Counts the events of an instance and makes a span of each attempt. Returns a function that stops it.
 * Call it after the SDK has started: without an SDK the API measures nothing.
 *
 * @example
 * import { createIdempotency } from '@retryproof/core'
 * import { memoryStore } from '@retryproof/memory'
 * import { instrument } from '@retryproof/opentelemetry'
 *
 * const idempotency = createIdempotency({ store: memoryStore(), namespace: 'payments' })
 * const stop = instrument(idempotency, { operations: ['charge', 'refund'] })
 */
export function instrument(idempotency: Pick<Idempotency, 'on'>, options: InstrumentOptions = {}): () => void {
  const { meterProvider = metricsApi, tracerProvider = trace, maxOperations = 200, operations } = options
  const label = operationLabels(maxOperations, operations)
  const spans = attemptSpans(tracerProvider.getTracer(SCOPE), label)
  // measurements between the two lead to the span of their attempt
  const stops = [
    ...spans.startWith(idempotency),
    ...recordMetrics(idempotency, meterProvider.getMeter(SCOPE), label, spans.contextOf),
    ...spans.endWith(idempotency),
  ]
  return () => {
    for (const stop of stops) stop()
  }
}
