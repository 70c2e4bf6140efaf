/** Names of instruments and attributes, formed as the semantic conventions of OpenTelemetry say. */

/** Names of the instruments. Counters add one for each event. */
export const metrics = {
  /** Counter: handlers that began to run, with `interrupted`. */
  executions: 'retryproof.executions',
  /** Counter: answers from a record. */
  replays: 'retryproof.replays',
  /** Counter: calls rejected because another attempt holds the key. */
  conflicts: 'retryproof.conflicts',
  /** Counter: calls that reused a key with another payload. */
  keyReuses: 'retryproof.key_reuses',
  /** Counter: attempts that took over after an expired lease. */
  takeovers: 'retryproof.takeovers',
  /** Counter: attempts that lost their lease. */
  leaseLosses: 'retryproof.lease.losses',
  /** Counter: leases that were renewed. */
  leaseRenewals: 'retryproof.lease.renewals',
  /** Counter: effects that are done and not recorded. */
  unrecorded: 'retryproof.unrecorded_results',
  /** Counter: keys that were parked. */
  parked: 'retryproof.parked',
  /** Counter: records that `recover` could not finish. */
  recoveryFailures: 'retryproof.recovery.failures',
  /** Histogram, seconds: from acquiring the key to settling or releasing it, with `outcome`. */
  attemptDuration: 'retryproof.attempt.duration',
  /** Counter: calls of the store that failed or timed out, with `store.call` and `error.type`. */
  storeErrors: 'retryproof.store.errors',
  /** Histogram, seconds: calls of an instrumented store, with `store.call`, and `store.outcome` or `error.type`. */
  storeDuration: 'retryproof.store.call.duration',
  /** Gauge: live records, with `operation_slug` and `state` (`instrumentRecords`). */
  records: 'retryproof.records',
  /** Gauge: records in progress whose lease has expired (`instrumentRecords`). */
  stuckRecords: 'retryproof.stuck.records',
  /** Gauge, seconds: the longest time since such a lease expired (`instrumentRecords`). */
  stuckAge: 'retryproof.stuck.age',
} as const

/** Attributes of metrics. Each has few values. */
export const attributes = {
  namespace: 'retryproof.namespace',
  /** The operation where it is a pattern and one of the first 200, else `_other`. */
  operation: 'retryproof.operation',
  /** The operation as a storage key has it: lower-case letters, digits and hyphens. */
  operationSlug: 'retryproof.operation_slug',
  /** The state of a record: `in-progress`, `completed`, `failed`, `released` or `parked`. */
  state: 'retryproof.record.state',
  /** True after a takeover: the outcome of the earlier attempt is unknown. */
  interrupted: 'retryproof.interrupted',
  /** The end of an attempt: `completed`, `failed`, `released`, `parked`, `unrecorded` or `lease_lost`. */
  outcome: 'retryproof.outcome',
  /** `begin`, `transition`, `get`, `purge` or `watch`. */
  storeCall: 'retryproof.store.call',
  /** The change of a transition: `renew`, `completed`, `failed`, `released`, `parked`, `forgotten`. */
  storeChange: 'retryproof.store.change',
  /** The answer of the store: `acquired`, `in_progress`, `settled`, `mismatch`, `ok`, `lost`. */
  storeOutcome: 'retryproof.store.outcome',
  /** The code of an error, or its class (semantic conventions). */
  errorType: 'error.type',
} as const

/** Attributes of spans only: each key has values of its own. */
export const spanAttributes = {
  /** The storage key: a digest of scope and key, so that a trace does not show the client's key. */
  key: 'retryproof.key',
  /** The number of the attempt, from 1. */
  attempt: 'retryproof.attempt',
  /** The fencing token. */
  token: 'retryproof.token',
} as const

/** The instrumentation scope of every metric and span. */
export const SCOPE = '@retryproof/opentelemetry'
