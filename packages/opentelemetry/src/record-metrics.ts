/** A counter for each kind of event, and how long attempts take. */
import type { Attributes, Meter } from '@opentelemetry/api'
import type { EventBase, EventType, IdempotencyEvents } from '@retryproof/core'
import { attributes, metrics } from './names.ts'
import { errorTypeOf, type Instrumented } from './scope.ts'

/** From a quick answer to a handler that runs as long as it may, in seconds. */
const ATTEMPT_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900]

/** Gives back what stops it. */
export function recordMetrics(
  idempotency: Instrumented,
  meter: Meter,
  label: (operation: string) => string,
): (() => void)[] {
  const of = ({ namespace, operation }: Pick<EventBase, 'namespace' | 'operation'>): Attributes => ({
    [attributes.namespace]: namespace,
    [attributes.operation]: label(operation),
  })

  function count<Type extends Exclude<EventType, 'storeUnavailable'>>(
    type: Type,
    name: string,
    description: string,
    more: (event: IdempotencyEvents[Type]) => Attributes = () => ({}),
  ): () => void {
    const counter = meter.createCounter(name, { description, unit: `{${UNITS[type] ?? 'call'}}` })
    return idempotency.on(type, (event) => counter.add(1, { ...of(event), ...more(event) }))
  }

  const duration = meter.createHistogram(metrics.attemptDuration, {
    description: 'From acquiring a key to settling or releasing it.',
    unit: 's',
    advice: { explicitBucketBoundaries: ATTEMPT_BUCKETS },
  })
  const time = (outcome: 'completed' | 'failed' | 'released') =>
    idempotency.on(outcome, (event) =>
      duration.record(event.durationMs / 1000, { ...of(event), [attributes.outcome]: outcome }),
    )

  const storeErrors = meter.createCounter(metrics.storeErrors, {
    description: 'Calls of the store that failed, or took too long.',
    unit: '{error}',
  })

  return [
    count('started', metrics.executions, 'Handlers that began to run.', ({ interrupted }) => ({
      [attributes.interrupted]: interrupted,
    })),
    count('replayed', metrics.replays, 'Answers from a record.'),
    count('conflict', metrics.conflicts, 'Callers that were told that another attempt holds the key.'),
    count('keyReused', metrics.mismatches, 'Calls with a known key and another payload.'),
    count('takeover', metrics.takeovers, 'Attempts after one that fell silent.'),
    count('leaseLost', metrics.leaseLosses, 'Attempts that found their lease over, or taken.'),
    count('renewed', metrics.leaseRenewals, 'Leases that were renewed.'),
    count('unrecorded', metrics.unrecorded, 'Effects that are done, and that no record tells of.'),
    count('parked', metrics.parked, 'Keys that wait for a person or a resolver.'),
    time('completed'),
    time('failed'),
    time('released'),
    idempotency.on('storeUnavailable', ({ namespace, call, error }) =>
      storeErrors.add(1, {
        [attributes.namespace]: namespace,
        [attributes.storeCall]: call,
        [attributes.errorType]: errorTypeOf(error),
      }),
    ),
  ]
}

/** What is counted, where it is not a call. */
const UNITS: Partial<Record<EventType, string>> = {
  started: 'attempt',
  takeover: 'attempt',
  leaseLost: 'attempt',
  renewed: 'renewal',
  unrecorded: 'result',
  parked: 'key',
}
