/** The names of everything that is measured, after the semantic conventions of OpenTelemetry: `.` between, units beside. */

/** The instruments. Counters count one for each event. */
export const metrics = {
  /** Counter: handlers that began to run, with `interrupted`. */
  executions: 'retryproof.executions',
  /** Counter: answers from a record. */
  replays: 'retryproof.replays',
  /** Counter: callers that were told that another attempt holds the key. */
  conflicts: 'retryproof.conflicts',
  /** Counter: the same key with another payload. */
  mismatches: 'retryproof.mismatches',
  /** Counter: attempts after one that fell silent. */
  takeovers: 'retryproof.takeovers',
  /** Counter: attempts that found their lease over, or taken. */
  leaseLosses: 'retryproof.lease.losses',
  /** Counter: leases that were renewed. */
  leaseRenewals: 'retryproof.lease.renewals',
  /** Counter: effects that are done, and that no record tells of. */
  unrecorded: 'retryproof.unrecorded_results',
  /** Counter: keys that wait for a person or a resolver. */
  parked: 'retryproof.parked',
  /** Histogram, seconds: from acquiring the key to settling or releasing it, with `outcome`. */
  attemptDuration: 'retryproof.attempt.duration',
  /** Counter: calls of the store that failed or took too long, with `store.call` and `error.type`. */
  storeErrors: 'retryproof.store.errors',
  /** Histogram, seconds: calls of an instrumented store, with `store.call`, and `store.outcome` or `error.type`. */
  storeDuration: 'retryproof.store.call.duration',
} as const

/** Attributes of metrics: each has few values. */
export const attributes = {
  namespace: 'retryproof.namespace',
  /** The operation where it is a pattern and one of the first 200, else `_other`. */
  operation: 'retryproof.operation',
  /** An earlier attempt fell silent, so that what it did is unknown. */
  interrupted: 'retryproof.interrupted',
  /** How an attempt ended: `completed`, `failed`, `released`, `parked`, `unrecorded` or `lease_lost`. */
  outcome: 'retryproof.outcome',
  /** `begin`, `transition`, `get`, `purge` or `watch`. */
  storeCall: 'retryproof.store.call',
  /** What a transition asked for: `renew`, `completed`, `failed`, `released`, `parked`, `forgotten`. */
  storeChange: 'retryproof.store.change',
  /** What the store answered: `acquired`, `in_progress`, `settled`, `mismatch`, `ok`, `lost`. */
  storeOutcome: 'retryproof.store.outcome',
  /** Of the semantic conventions: an error's code, or its class. */
  errorType: 'error.type',
} as const

/** Attributes of spans alone: they have as many values as there are keys. */
export const spanAttributes = {
  /** The storage key: a digest of scope and key, so that no trace tells what the client sent. */
  key: 'retryproof.key',
  /** The attempt's number, from 1. */
  attempt: 'retryproof.attempt',
  /** The fencing token. */
  token: 'retryproof.token',
} as const
