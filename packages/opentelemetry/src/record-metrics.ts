/** Counts each kind of event, and measures the duration of attempts. */
import type { Attributes, Meter } from '@opentelemetry/api'
import type { EventType, Idempotency, IdempotencyEvents } from '@retryproof/core'
import { errorTypeOf } from './error-type.ts'
import { attributes, metrics } from './names.ts'
import type { AttemptSpans } from './record-spans.ts'

/** Bucket boundaries in seconds: from a quick answer to the default `maxRun`. */
const ATTEMPT_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900]

/** Returns the functions that stop it. */
export function recordMetrics(
  idempotency: Pick<Idempotency, 'on'>,
  meter: Meter,
  label: (operation: string) => string,
  contextOf: AttemptSpans['contextOf'],
): (() => void)[] {
  const of = ({ namespace, operation }: { namespace: string; operation: string }): Attributes => ({
    [attributes.namespace]: namespace,
    [attributes.operation]: label(operation),
  })

  function count<Type extends Exclude<EventType, 'storeUnavailable'>>(
    type: Type,
    name: string,
    description: string,
    labels: (event: IdempotencyEvents[Type]) => Attributes = of,
  ): () => void {
    const counter = meter.createCounter(name, { description, unit: `{${UNITS[type] ?? 'call'}}` })
    return idempotency.on(type, (event) => counter.add(1, labels(event), contextOf(event)))
  }

  const duration = meter.createHistogram(metrics.attemptDuration, {
    description: 'From acquiring a key to settling or releasing it.',
    unit: 's',
    advice: { explicitBucketBoundaries: ATTEMPT_BUCKETS },
  })
  const time = (outcome: 'completed' | 'failed' | 'released') =>
    idempotency.on(outcome, (event) =>
      duration.record(event.durationMs / 1000, { [attributes.outcome]: outcome, ...of(event) }, contextOf(event)),
    )

  const storeErrors = meter.createCounter(metrics.storeErrors, {
    description: 'Calls of the store that failed or timed out.',
    unit: '{error}',
  })

  return [
    count('started', metrics.executions, 'Handlers that began to run.', (event) => ({
      [attributes.interrupted]: event.interrupted,
      ...of(event),
    })),
    count('replayed', metrics.replays, 'Answers from a record.'),
    count('conflict', metrics.conflicts, 'Calls rejected because another attempt holds the key.'),
    count('keyReused', metrics.keyReuses, 'Calls that reused a key with another payload.'),
    count('takeover', metrics.takeovers, 'Attempts that took over after an expired lease.'),
    count('leaseLost', metrics.leaseLosses, 'Attempts that lost their lease.'),
    count('renewed', metrics.leaseRenewals, 'Leases that were renewed.'),
    count('unrecorded', metrics.unrecorded, 'Effects that are done and not recorded.'),
    count('parked', metrics.parked, 'Keys that were parked.'),
    count('recoveryFailed', metrics.recoveryFailures, 'Records that a recovery could not finish.'),
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

/** Units of the counters that count something else than calls. */
const UNITS: Partial<Record<EventType, string>> = {
  started: 'attempt',
  takeover: 'attempt',
  leaseLost: 'attempt',
  renewed: 'renewal',
  unrecorded: 'result',
  parked: 'key',
  recoveryFailed: 'record',
}
