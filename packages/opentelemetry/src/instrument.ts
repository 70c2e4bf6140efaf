/** Metrics and spans of an instance, from its events. */
import { type MeterProvider, metrics as metricsApi, type TracerProvider, trace } from '@opentelemetry/api'
import { operationLabels } from './operation-labels.ts'
import { recordMetrics } from './record-metrics.ts'
import { recordSpans } from './record-spans.ts'
import { type Instrumented, SCOPE } from './scope.ts'

export interface InstrumentOptions {
  /** @default the global one */
  readonly meterProvider?: MeterProvider
  /** @default the global one */
  readonly tracerProvider?: TracerProvider
  /** How many operations are told apart; the others are `_other`. @default 200 */
  readonly maxOperations?: number
}

/**
 * Measures what an instance does, and makes a span of each attempt. Gives back a function that stops it.
 *
 * Call it after the SDK was started: without one, the API measures nothing, at no cost worth naming.
 */
export function instrument(idempotency: Instrumented, options: InstrumentOptions = {}): () => void {
  const { meterProvider = metricsApi, tracerProvider = trace, maxOperations = 200 } = options
  const label = operationLabels(maxOperations)
  const stops = [
    ...recordMetrics(idempotency, meterProvider.getMeter(SCOPE), label),
    ...recordSpans(idempotency, tracerProvider.getTracer(SCOPE), label),
  ]
  return () => {
    for (const stop of stops) stop()
  }
}
