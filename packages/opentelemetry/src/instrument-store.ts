/** Times and traces the calls of a store. */
import {
  type Attributes,
  context,
  type MeterProvider,
  metrics as metricsApi,
  type Span,
  SpanStatusCode,
  type TracerProvider,
  trace,
} from '@opentelemetry/api'
import type { IdempotencyStore } from '@retryproof/core'
import { type BoundStore, wrapStore } from '@retryproof/core/store'
import { errorTypeOf } from './error-type.ts'
import { attributes, metrics, SCOPE, spanAttributes } from './names.ts'

export interface StoreInstrumentOptions {
  /** Provides the meter of all measurements. @default the global one */
  readonly meterProvider?: MeterProvider
  /** Provides the tracer of all spans. @default the global one */
  readonly tracerProvider?: TracerProvider
}

/** Bucket boundaries in seconds: from a store in memory to the default `storeTimeout`. */
const STORE_BUCKETS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5]

/**
 * Returns the store with a duration and a span for every `begin`, `transition`, `get` and `purge`, also inside of
 * transactions. The spans of its driver become children of these. The work of a transaction is not measured.
 *
 * @example
 * import { memoryStore } from '@retryproof/memory'
 * import { instrumentStore } from '@retryproof/opentelemetry'
 *
 * const store = instrumentStore(memoryStore())
 */
export function instrumentStore<Tx>(
  store: IdempotencyStore<Tx>,
  options: StoreInstrumentOptions = {},
): IdempotencyStore<Tx> {
  const { meterProvider = metricsApi, tracerProvider = trace } = options
  const tracer = tracerProvider.getTracer(SCOPE)
  const duration = meterProvider.getMeter(SCOPE).createHistogram(metrics.storeDuration, {
    description: 'Calls of the store.',
    unit: 's',
    advice: { explicitBucketBoundaries: STORE_BUCKETS },
  })

  /** Measures `work`. Answers synchronously where `work` does, as bound stores may. */
  function timed<T>(call: string, key: string | undefined, work: () => T, described: Attributes = {}): T {
    const startedAt = performance.now()
    const labels = { [attributes.storeCall]: call, ...described }
    const span = tracer.startSpan(`store ${call}`, {
      attributes: key === undefined ? labels : { [spanAttributes.key]: key, ...labels },
    })
    const inSpan = trace.setSpan(context.active(), span)
    const end = (ended: Attributes) => {
      duration.record(
        (performance.now() - startedAt) / 1000,
        { [attributes.storeCall]: call, ...described, ...ended },
        inSpan,
      )
      span.setAttributes(ended).end()
    }
    try {
      const answer = context.with(inSpan, work)
      if (answer instanceof Promise) {
        answer.then(
          (reply) => end(outcomeOf(reply)),
          (error) => end(failed(span, error)),
        )
      } else end(outcomeOf(answer))
      return answer
    } catch (error) {
      end(failed(span, error))
      throw error
    }
  }

  function timedCalls<Store extends BoundStore>(calls: Store): Pick<Store, keyof BoundStore> {
    return {
      begin: (key, claim) => timed('begin', key, () => calls.begin(key, claim)),
      transition: (key, token, change) =>
        timed('transition', key, () => calls.transition(key, token, change), { [attributes.storeChange]: change.to }),
      get: (key) => timed('get', key, () => calls.get(key)),
    }
  }

  const { purge, bind } = store
  return wrapStore(store, {
    ...timedCalls(store),
    ...(purge && { purge: (limits) => timed('purge', undefined, () => purge.call(store, limits)) }),
    ...(bind && { bind: (tx) => timedCalls(bind.call(store, tx)) }),
  })
}

function outcomeOf(reply: unknown): Attributes {
  const isAnswer = typeof reply === 'object' && reply !== null && 'outcome' in reply
  return isAnswer ? { [attributes.storeOutcome]: String(reply.outcome) } : {}
}

function failed(span: Span, error: unknown): Attributes {
  const type = errorTypeOf(error)
  span.setStatus({ code: SpanStatusCode.ERROR, message: type })
  return { [attributes.errorType]: type }
}
