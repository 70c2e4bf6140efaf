/** The real SDK, exporting into memory. */
import { type Attributes, context } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import {
  AggregationTemporality,
  type DataPoint,
  type Histogram,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
  type ViewOptions,
} from '@opentelemetry/sdk-metrics'
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace'

/** One number that was exported: a counter's sum, or how often a histogram was told something. */
export interface Point {
  readonly name: string
  readonly attributes: Attributes
  readonly value: number
}

context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())

export function openSdk(views: ViewOptions[] = []) {
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE)
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 })
  const meterProvider = new MeterProvider({ readers: [reader], views })
  const spans = new InMemorySpanExporter()
  const tracerProvider = new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter: spans })] })

  return {
    meterProvider,
    tracerProvider,
    tracer: tracerProvider.getTracer('test'),
    spans: () => spans.getFinishedSpans(),
    async points(name: string): Promise<Point[]> {
      exporter.reset()
      await reader.forceFlush()
      const all = exporter.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics.flatMap(({ metrics }) => metrics))
      return all
        .filter(({ descriptor }) => descriptor.name === name)
        .flatMap(({ dataPoints }) => (dataPoints as DataPoint<number | Histogram>[]).map(toPoint))
        .map((point) => ({ name, ...point }))
    },
    /** Name, unit and description of every instrument that measured something. */
    async descriptors() {
      exporter.reset()
      await reader.forceFlush()
      const scopes = exporter.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics)
      return scopes.flatMap(({ metrics }) => metrics.map(({ descriptor }) => descriptor))
    },
    /** The sum over all attributes; 0 where nothing was counted. */
    async total(name: string): Promise<number> {
      return (await this.points(name)).reduce((sum, { value }) => sum + value, 0)
    },
    close: () => Promise.all([meterProvider.shutdown(), tracerProvider.shutdown()]),
  }
}

function toPoint({ attributes, value }: DataPoint<number | Histogram>): Omit<Point, 'name'> {
  return { attributes, value: typeof value === 'number' ? value : value.count }
}
