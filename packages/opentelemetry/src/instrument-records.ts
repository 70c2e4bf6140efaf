/** Gauges of the records that there are, from counts that the database makes. */
import { type Attributes, diag, type MeterProvider, metrics as metricsApi } from '@opentelemetry/api'
import type { Idempotency, RecordCount } from '@retryproof/core'
import { type Duration, toMs } from '@retryproof/core/store'
import { attributes, metrics, SCOPE } from './names.ts'
import { operationLabels } from './operation-labels.ts'

export interface RecordsInstrumentOptions {
  /** Provides the meter of all measurements. @default the global one */
  readonly meterProvider?: MeterProvider
  /** The time between two counts. Each reads the index or the table of the store. @default '1m' */
  readonly every?: Duration
  /** The number of operations with a label of their own; the others are `_other`. @default 200 */
  readonly maxOperations?: number
}

/**
 * Measures the records of a namespace: by operation and state, those whose lease has expired, and the longest time since.
 * One process of a fleet is enough. After a count that failed the gauges are absent until the next one. Returns a
 * function that stops it.
 *
 * @example
 * import { createIdempotency } from '@retryproof/core'
 * import { memoryStore } from '@retryproof/memory'
 * import { instrumentRecords } from '@retryproof/opentelemetry'
 *
 * const idempotency = createIdempotency({ store: memoryStore(), namespace: 'payments' })
 * const stop = instrumentRecords(idempotency, { every: '5m' })
 *
 * @throws {@link IdempotencyInvalidOptionError} when `every` is outside 1 s to 1 day
 */
export function instrumentRecords(
  idempotency: Pick<Idempotency, 'count' | 'namespace'>,
  options: RecordsInstrumentOptions = {},
): () => void {
  const { meterProvider = metricsApi, every = '1m', maxOperations = 200 } = options
  const everyMs = toMs('every', every, { min: 1000, max: 86_400_000 })
  const meter = meterProvider.getMeter(SCOPE)
  const records = meter.createObservableGauge(metrics.records, { description: 'Live records.', unit: '{record}' })
  const stuck = meter.createObservableGauge(metrics.stuckRecords, {
    description: 'Records in progress whose lease has expired.',
    unit: '{record}',
  })
  const stuckAge = meter.createObservableGauge(metrics.stuckAge, {
    description: 'The longest time since such a lease expired.',
    unit: 's',
  })

  const label = operationLabels(maxOperations)
  const namespace = { [attributes.namespace]: idempotency.namespace }
  let counted: readonly RecordCount[] | undefined
  let isCounting = false
  const countAgain = async () => {
    if (isCounting) return
    isCounting = true
    try {
      counted = await idempotency.count()
    } catch (error) {
      counted = undefined
      diag.warn('retryproof: the records could not be counted.', error)
    } finally {
      isCounting = false
    }
  }
  const observe: Parameters<typeof meter.addBatchObservableCallback>[0] = (result) => {
    if (!counted) return
    for (const [described, sum] of sumsOf(counted, label)) result.observe(records, sum, { ...namespace, ...described })
    result.observe(stuck, sumOf(counted), namespace)
    result.observe(stuckAge, Math.max(0, ...counted.map(({ longestExpiredMs }) => longestExpiredMs)) / 1000, namespace)
  }

  void countAgain()
  const timer = setInterval(countAgain, everyMs)
  // keeps no process alive; browsers give a number
  ;(timer as { unref?(): void }).unref?.()
  meter.addBatchObservableCallback(observe, [records, stuck, stuckAge])
  return () => {
    clearInterval(timer)
    meter.removeBatchObservableCallback(observe, [records, stuck, stuckAge])
  }
}

const sumOf = (counted: readonly RecordCount[]) => counted.reduce((sum, { leaseExpired }) => sum + leaseExpired, 0)

/** Adds up the operations that share a label: a gauge keeps the last of two values with equal attributes. */
function sumsOf(counted: readonly RecordCount[], label: (operation: string) => string): [Attributes, number][] {
  const sums = new Map<string, [Attributes, number]>()
  for (const { operation, state, records } of counted) {
    const described = { [attributes.operationSlug]: label(operation), [attributes.state]: state.replace('_', '-') }
    const name = Object.values(described).join()
    sums.set(name, [described, records + (sums.get(name)?.[1] ?? 0)])
  }
  return [...sums.values()]
}
